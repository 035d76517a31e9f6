"""The concepts that the builtin teacher knows, each with the builder of its problems and its share."""

from collections.abc import Callable
from functools import partial

from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.pipelines import build_pipeline
from autotrain.generate.builtin.problem import Problem
from autotrain.generate.builtin.sources import SOURCES

Builder = Callable[[Dice], Problem | None]

CONCEPTS: dict[str, tuple[Builder, float]] = {
    **{name: (partial(build_pipeline, source_name=name), 1.0) for name in SOURCES},
}
