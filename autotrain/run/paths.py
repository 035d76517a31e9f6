"""Where everything a run writes has its place. No other module builds such a name."""

import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

RUN_ID = re.compile(r"run_\d{8}_\d{6}_[0-9a-f]{6}")


@dataclass(frozen=True)
class RunPaths:
    """The files of the run in `root`."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config.json"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def control(self) -> Path:
        return self.root / "control.json"

    @property
    def reserve(self) -> Path:
        """Space for how the run ended, should the disk be full; there while its loop is at work."""
        return self.root / ".reserve"

    @property
    def log(self) -> Path:
        """What a detached loop and its stages print."""
        return self.root / "loop.log"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def eval(self) -> Path:
        return self.root / "eval"

    @property
    def best_adapter(self) -> Path:
        return self.root / "best_adapter"

    def responses(self, round_number: int) -> Path:
        return self.data / f"responses_round_{round_number}.jsonl"

    def focus(self, round_number: int) -> Path:
        """What a round is to practise more: {concept or task type: weight}."""
        return self.data / f"focus_round_{round_number}.json"

    def raw(self, round_number: int) -> Path:
        return self.data / f"raw_round_{round_number}.jsonl"

    def clean(self, round_number: int) -> Path:
        return self.data / f"clean_round_{round_number}.jsonl"

    def rejected(self, round_number: int) -> Path:
        return self.data / f"rejected_round_{round_number}.jsonl"

    def seen(self, round_number: int) -> Path:
        """What a round's clean samples are recognised by in later rounds."""
        return self.data / f"seen_round_{round_number}.bin"

    def validation_report(self, round_number: int) -> Path:
        return self.data / f"report_round_{round_number}.json"

    @property
    def dataset_card(self) -> Path:
        return self.data / "README.md"

    def tested(self, round_number: int) -> Path:
        return self.data / f"tested_round_{round_number}.jsonl"

    def own(self, round_number: int) -> Path:
        """The student's own right answers to the round's tasks."""
        return self.data / f"own_round_{round_number}.jsonl"

    def own_answers(self, round_number: int) -> Path:
        """All that the student answered to them."""
        return self.data / f"own_answers_round_{round_number}.jsonl"

    def failed(self, round_number: int) -> Path:
        return self.data / f"failed_round_{round_number}.jsonl"

    def train(self, round_number: int) -> Path:
        return self.data / f"train_round_{round_number}.jsonl"

    def val(self, round_number: int) -> Path:
        return self.data / f"val_round_{round_number}.jsonl"

    def adapter(self, round_number: int) -> Path:
        """The finished adapter."""
        return self.root / f"out_lora_round_{round_number}" / "final"

    def checkpoints(self, round_number: int) -> Path:
        """Of a training under way. They stay until the round ends: a crash before that may still need them."""
        return self.adapter(round_number).with_name("checkpoints")

    def report(self, round_number: int) -> Path:
        return self.eval / f"report_round_{round_number}.json"

    def report_text(self, round_number: int) -> Path:
        return self.eval / f"report_round_{round_number}.md"

    def report_page(self, round_number: int) -> Path:
        return self.eval / f"report_round_{round_number}.html"

    def answers(self, round_number: int) -> Path:
        return self.eval / f"answers_round_{round_number}.jsonl"


@dataclass(frozen=True)
class OutPaths:
    """The top of OUT_DIR: the runs, the lock, and links to the newest run's things."""

    root: Path

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def lock(self) -> Path:
        return self.root / "pipeline.pid"

    def run(self, run_id: str) -> RunPaths:
        return RunPaths(self.runs / run_id)

    def run_ids(self) -> list[str]:
        """The runs here, oldest first."""
        if not self.runs.is_dir():
            return []
        return sorted(folder.name for folder in self.runs.iterdir() if RUN_ID.fullmatch(folder.name))


def new_run_id(now: datetime, known: Sequence[str] = ()) -> str:
    """run_YYYYmmdd_HHMMSS_xxxxxx, unique and sorted by time: after the `known` ones though the clock was put back."""
    for run_id in known:
        # 99 may stand where a month should: the name is a folder's.
        with suppress(ValueError):
            now = max(now, datetime.strptime(run_id[4:19], "%Y%m%d_%H%M%S") + timedelta(seconds=1))
    return f"run_{now:%Y%m%d_%H%M%S}_{secrets.token_hex(3)}"
