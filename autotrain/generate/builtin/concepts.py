"""The concepts that the builtin teacher knows, each with the builder of its problems and its share."""

from collections.abc import Callable
from functools import partial

from autotrain.generate.builtin import compositions, containers, decisions, machines, recursion
from autotrain.generate.builtin.classic_arithmetic import ARITHMETIC_CLASSICS
from autotrain.generate.builtin.classic_arrays import ARRAY_CLASSICS
from autotrain.generate.builtin.classic_choices import CHOICE_CLASSICS
from autotrain.generate.builtin.classic_classes import CLASS_CLASSICS
from autotrain.generate.builtin.classic_collections import COLLECTION_CLASSICS
from autotrain.generate.builtin.classic_formats import FORMAT_CLASSICS
from autotrain.generate.builtin.classic_functions import FUNCTION_CLASSICS
from autotrain.generate.builtin.classic_graphs import GRAPH_CLASSICS
from autotrain.generate.builtin.classic_mathematics import MATHEMATICS_CLASSICS
from autotrain.generate.builtin.classic_matrices import MATRIX_CLASSICS
from autotrain.generate.builtin.classic_numbers import NUMBER_CLASSICS
from autotrain.generate.builtin.classic_strings import STRING_CLASSICS
from autotrain.generate.builtin.classic_structures import STRUCTURE_CLASSICS
from autotrain.generate.builtin.classic_texts import TEXT_CLASSICS
from autotrain.generate.builtin.classic_writing import WRITING_CLASSICS
from autotrain.generate.builtin.classics import Classic, build_classic
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.pipelines import build_pipeline
from autotrain.generate.builtin.problem import Problem
from autotrain.generate.builtin.sources import SOURCES

CLASSICS = (
    *NUMBER_CLASSICS, *TEXT_CLASSICS, *COLLECTION_CLASSICS, *ARITHMETIC_CLASSICS, *MATHEMATICS_CLASSICS,
    *STRING_CLASSICS, *WRITING_CLASSICS, *FORMAT_CLASSICS, *ARRAY_CLASSICS, *CHOICE_CLASSICS, *MATRIX_CLASSICS,
    *STRUCTURE_CLASSICS, *GRAPH_CLASSICS, *CLASS_CLASSICS, *FUNCTION_CLASSICS,
)  # fmt: skip

Builder = Callable[[Dice], Problem | None]


def classics_by_concept() -> dict[str, list[Classic]]:
    grouped: dict[str, list[Classic]] = {}
    for entry in CLASSICS:
        grouped.setdefault(entry.concept, []).append(entry)
    return grouped


# A share grows with the number of different problems that a concept has to offer.
_TABLE: dict[str, tuple[Builder, float]] = {
    **{name: (partial(build_pipeline, source_name=name), 5.0) for name in SOURCES},
    **{
        name: (partial(build_classic, entries=entries), 0.35 * len(entries))
        for name, entries in classics_by_concept().items()
    },
    "element_functions": (compositions.element_functions, 8.0),
    "text_steps": (compositions.text_steps, 5.0),
    "list_steps": (compositions.list_steps, 5.0),
    "recursion_on_lists": (recursion.on_list, 3.0),
    "recursion_on_text": (recursion.on_text, 2.5),
    "recursion_on_digits": (recursion.on_digits, 1.5),
    "nested_lists": (recursion.on_nested, 2.5),
    "recurrences": (recursion.recurrence, 1.5),
    "thresholds": (decisions.thresholds, 2.0),
    "word_rules": (decisions.word_rules, 1.5),
    "conditional_values": (decisions.cases, 4.0),
    "combined_conditions": (decisions.two_conditions, 4.0),
    "raising_errors": (decisions.strict_input, 4.0),
    "validation": (decisions.validated_list, 3.0),
    "default_on_error": (decisions.safe_convert, 3.0),
    "dict_entries": (containers.dict_entries, 5.0),
    "dict_merging": (containers.dict_merge, 1.5),
    "set_operations": (containers.set_operations, 3.0),
    "sorting": (containers.sort_by, 5.0),
    "indexing": (containers.indexing, 4.0),
    "commands": (machines.counter_commands, 3.0),
    "robots": (machines.robot, 1.5),
    "levels": (machines.balance, 2.5),
    "stacks": (machines.stack_machine, 2.5),
    "generators": (machines.generators, 4.0),
    "closures": (machines.closures, 3.0),
    "classes": (machines.class_problem, 3.0),
    "account_classes": (machines.account_class, 1.5),
    "dates": (machines.date_math, 3.0),
}
BUILDERS = {name: builder for name, (builder, _) in _TABLE.items()}
CONCEPT_SHARES = {name: share for name, (_, share) in _TABLE.items()}
