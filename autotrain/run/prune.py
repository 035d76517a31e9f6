"""Giving back the space of what a long run needs no longer (KEEP_ROUNDS)."""

import shutil
from pathlib import Path

from autotrain.run.artifacts import completed
from autotrain.run.paths import RunPaths
from autotrain.run.repair import decision_of
from autotrain.run.state import State


def prune(paths: RunPaths, state: State, before: int) -> list[Path]:
    """Remove what of the rounds before this one is not needed any more, from disk and record; return what that was.

    What was paid for stays (replies, and the samples made of them), what was trained on, every report, and each
    adapter that was once the best: later ones were trained from it.
    """
    removed = []
    for number in range(1, before):
        for path in _intermediate(paths, number):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():
                path.unlink()
            else:
                continue
            removed.append(path)
    for _, _, record in completed(state):
        for name in list(record.artifacts):
            if any((paths.root / name).is_relative_to(path) for path in removed):
                del record.artifacts[name]
    return removed


def _intermediate(paths: RunPaths, number: int) -> list[Path]:
    files = [
        paths.clean(number), paths.rejected(number), paths.failed(number), paths.own_answers(number),
        paths.val(number), paths.answers(number), paths.report_page(number),
    ]  # fmt: skip
    decision = decision_of(paths, number)
    return files if decision is None or decision["promoted"] else [*files, paths.adapter(number).parent]
