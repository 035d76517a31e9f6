"""HumanEval answered by stage 05's engine and by plain transformers loops, and what running the answers takes."""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from autotrain.config import EMBEDDED_MODEL, Settings
from autotrain.errors import SettingsError
from autotrain.evaluate.benchmarks import Item, answer_as_run, question_for, read_benchmarks, style_for
from autotrain.evaluate.decoding import Request, cut, decode
from autotrain.evaluate.engines import load_for_answers
from autotrain.gate.jail import Jail, Limits
from autotrain.gate.verify import verify_answers
from autotrain.sample import fenced_code
from autotrain.train.models import load_tokenizer, quiet_libraries, resolve_base
from autotrain.train.render import stop_ids
from benches.table import Cell, Measurement

COLUMNS = (
    "who", "answers", "answering, s", "tokens decoded", "useful tokens", "useful tokens/s", "÷ batch 1",
    "passed", "executing, s",
)  # fmt: skip


def add_command(commands: Any) -> None:
    """Add `eval` to bench.py's commands."""
    parser = commands.add_parser(
        "eval", help="HumanEval answered by stage 05 and by plain transformers loops, then run"
    )
    parser.add_argument("--problems", type=int, default=164, help="so many of them, drawn by a seed (default: 164)")
    parser.add_argument("--tokens", type=int, default=256, help="most new tokens an answer (default: 256)")
    parser.add_argument("--batch", type=int, default=32, help="answers at once, and of the fixed batch (default: 32)")
    parser.add_argument("--base-model", default=EMBEDDED_MODEL, help="folder of a model (default: the embedded one)")
    parser.add_argument("--adapter", type=Path, help="adapter of it (default: none)")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> Measurement:
    """The ways one after the other in one process, so that nothing but the decoding differs."""
    if min(options.problems, options.tokens, options.batch) < 1:
        raise SettingsError("--problems, --tokens and --batch take numbers from 1")
    quiet_libraries()
    settings = Settings(benchmarks=f"humaneval:{options.problems}", base_model=options.base_model)
    (benchmark,) = read_benchmarks(settings)
    base = resolve_base(options.base_model)
    tokenizer = load_tokenizer(base, settings)
    style = style_for(tokenizer)
    model = load_for_answers(base, options.adapter, settings)
    requests = [question_for(tokenizer, item, style).request for item in benchmark.items]
    ways: dict[str, Callable[[], Iterator[tuple[int, str, int]]]] = {
        "autotrain": partial(_ours, model, tokenizer, requests, options.tokens, options.batch),
        f"transformers, batch {options.batch}": partial(
            _plain, model, tokenizer, requests, options.tokens, options.batch
        ),
        "transformers, batch 1": partial(_plain, model, tokenizer, requests, options.tokens, 1),
    }
    rows = [_row(who, way, tokenizer, benchmark.items, requests, style) for who, way in ways.items()]
    for row in rows:
        row["÷ batch 1"] = float(row["useful tokens/s"]) / float(rows[-1]["useful tokens/s"])
    notes = [
        f"{benchmark.name} of {options.base_model}{f' with {options.adapter}' if options.adapter else ''}, asked in "
        f"style {style}, at most {options.tokens} new tokens, greedy. Useful tokens are those up to the end of the "
        "answer's first code block (or its function): what is run. Executing: all answers with their tests, once.",
    ]
    return Measurement("Answering and running HumanEval", COLUMNS, rows, rows, notes)


def _ours(
    model: Any, tokenizer: Any, requests: Sequence[Request], tokens: int, batch: int
) -> Iterator[tuple[int, str, int]]:
    for answers in decode(model, tokenizer, stop_ids(tokenizer), requests, tokens, batch):
        for answer in answers:
            yield answer.index, answer.text, answer.tokens


def _plain(
    model: Any, tokenizer: Any, requests: Sequence[Request], tokens: int, batch: int
) -> Iterator[tuple[int, str, int]]:
    """The library's generate on batches as they come, each until its last answer ends by itself."""
    import torch

    stops = stop_ids(tokenizer)
    for start in range(0, len(requests), batch):
        prompts = [request.prompt for request in requests[start : start + batch]]
        width = max(map(len, prompts))
        ids = torch.tensor([[tokenizer.pad_token_id] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        with torch.inference_mode():
            made = model.generate(
                ids, attention_mask=mask, max_new_tokens=tokens, do_sample=False, eos_token_id=stops,
                pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
        for place, row in enumerate(made[:, width:].tolist()):
            end = min((row.index(stop) for stop in stops if stop in row), default=len(row))
            # Rows that have ended go on being decoded until the last of their batch does.
            yield start + place, tokenizer.decode(row[:end], skip_special_tokens=True), len(row)


def _row(
    who: str,
    way: Callable[[], Iterator[tuple[int, str, int]]],
    tokenizer: Any,
    items: Sequence[Item],
    requests: Sequence[Request],
    style: Any,
) -> dict[str, Cell]:
    texts, decoded = [""] * len(items), 0
    started = time.perf_counter()
    for index, text, tokens in way():
        texts[index] = text
        decoded += tokens
    answering = time.perf_counter() - started
    texts = [_useful(text, request) for text, request in zip(texts, requests, strict=True)]
    useful = sum(len(tokenizer.encode(text, add_special_tokens=False)) for text in texts)
    pairs = [(item.sample, answer_as_run(item, text, style)) for item, text in zip(items, texts, strict=True)]
    with Jail(Limits()) as jail:
        # The servers are up when the clock starts, as they are in a stage that runs more than this.
        verify_answers(pairs[:2], jail)
        started = time.perf_counter()
        verdicts = verify_answers(pairs, jail)
        executing = time.perf_counter() - started
    return {
        "who": who, "answers": len(items), "answering, s": answering, "tokens decoded": decoded,
        "useful tokens": useful, "useful tokens/s": useful / answering, "÷ batch 1": "",
        "passed": sum(verdict.passed is True for verdict in verdicts), "executing, s": executing,
    }  # fmt: skip


def _useful(text: str, request: Request) -> str:
    """The part of an answer that is run, and what stands before it."""
    if request.ending == "function":
        return cut(text, "function")
    code = fenced_code(text)
    return text if code is None else text[: text.index(code) + len(code)] + "```"
