"""The folder of a run, made or made ready to be gone on with, and the names at the top of OUT_DIR that lead to it."""

import os
import shutil
import sys
from contextlib import suppress
from datetime import datetime

from autotrain.config import CHANGEABLE, Settings, fixed_digest, load
from autotrain.errors import AutotrainError, SettingsError
from autotrain.files import is_full, keep_reserve, replace_link, replace_text
from autotrain.run.artifacts import find_damage, sweep
from autotrain.run.control import write_request
from autotrain.run.journal import Journal
from autotrain.run.paths import OutPaths, RunPaths, new_run_id
from autotrain.run.repair import ensure_state, mend_best, redo_from
from autotrain.run.state import State, save_state, timestamp

LINKS = ("data", "eval", "best_adapter")


def check_links(out: OutPaths) -> None:
    """Raise SettingsError if something stands where OUT_DIR, or its links, belong."""
    standing = next(path for path in [out.root, *out.root.parents] if path.exists())
    if not standing.is_dir():
        raise SettingsError(f"OUT_DIR = {out.root} cannot be used: {standing} is no folder; move it or set OUT_DIR")
    for link in [*(out.root / name for name in LINKS), *out.root.glob("out_lora_round_*")]:
        if link.exists() and not link.is_symlink():
            raise SettingsError(f"{link} is in the way: a link to the newest run belongs there; move it or set OUT_DIR")


def check_folder(out: OutPaths) -> None:
    """Raise SettingsError if OUT_DIR is something else than a folder, or on a disk that cannot be written to."""
    what = "no folder"
    if out.root.is_symlink() and not out.root.exists():
        what = f"a link to {os.readlink(out.root)}, which is not there"
    elif out.root.is_dir() and os.statvfs(out.root).f_flag & os.ST_RDONLY:
        what = "on a disk that can only be read"
    elif out.root.is_dir() or not out.root.exists():
        return
    raise SettingsError(f"OUT_DIR = {out.root} is {what}; move it or set another OUT_DIR")


def make_folder(out: OutPaths) -> None:
    """Make OUT_DIR; raise SettingsError where that cannot be."""
    try:
        out.runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if is_full(error):
            raise
        raise SettingsError(f"OUT_DIR = {out.root} cannot be used: {error.strerror}") from None


def create_run(out: OutPaths, settings: Settings) -> RunPaths:
    """A new run's folder, whole or not at all."""
    run = out.run(new_run_id(datetime.now(), out.run_ids()))
    try:
        run.data.mkdir(parents=True)
        run.eval.mkdir()
        keep_reserve(run.reserve)
        replace_text(run.config, settings.to_json())
        now = timestamp()
        digest = fixed_digest(run.config)
        state = State(run_id=run.root.name, settings_sha256=digest, pid=os.getpid(), started_at=now, updated_at=now)
        save_state(run.state, state)
        Journal(run).record("pipeline_start", f"{settings.rounds} rounds of {settings.samples_per_round} samples")
        link_names(out, run)
    except BaseException:
        _take_back(out, run)
        raise
    return run


def _take_back(out: OutPaths, run: RunPaths) -> None:
    """Remove a run that could only be made in part; the names at the top lead to the one before again."""
    shutil.rmtree(run.root, ignore_errors=True)
    with suppress(OSError):
        if earlier := out.run_ids():
            link_names(out, out.run(earlier[-1]))
        for link in (out.root / name for name in LINKS):
            if link.is_symlink() and not link.exists():
                link.unlink()


def reopen_run(out: OutPaths, run: RunPaths, settings: Settings, redo: bool) -> bool:
    """Make a run that stopped ready to go on with `settings`; False if it is complete.

    Raises AutotrainError naming files of it that are damaged, unless they are to be made again.
    """
    sweep(run.root)
    remade = ensure_state(run)
    journal = Journal(run)
    for wrong in filter(None, (remade, journal.reconcile())):
        print(wrong, file=sys.stderr)
        journal.record("error", wrong, level="warn", error=wrong)
    if journal.state.settings_sha256 not in (None, fixed_digest(run.config)):
        raise SettingsError(
            f"{run.config} was changed since the run began, and not only {', '.join(map(str.upper, CHANGEABLE))}; "
            "put it back, or start a new run"
        )
    _check_files(journal, redo)
    mend_best(run, journal.state)
    if journal.state.status == "completed":
        return False
    keep_reserve(run.reserve)
    before = load(run.config)
    changed = [name for name in CHANGEABLE if getattr(before, name) != getattr(settings, name)]
    if changed:
        replace_text(run.config, settings.to_json())
    journal.state.settings_sha256 = fixed_digest(run.config)
    write_request(run.control, "run")
    journal.state.pid = os.getpid()
    journal.set_status("running")
    words = "".join(f", {name.upper()} = {getattr(settings, name)}" for name in changed)
    journal.record("pipeline_start", f"resumed in round {max(journal.state.current_round, 1)}{words}")
    link_names(out, run)
    return True


def _check_files(journal: Journal, redo: bool) -> None:
    damages = find_damage(journal.paths, journal.state)
    if not damages:
        return
    words = "; ".join(map(str, damages[:5])) + (f"; and {len(damages) - 5} more" if len(damages) > 5 else "")
    if not redo:
        raise AutotrainError(
            f"{words}. Put it back from a backup; or --resume {journal.paths.root.name} --redo makes it again, and all "
            "that was made of it (of the teacher's replies, only those that can no longer be read are asked for again)"
        )
    print(words, file=sys.stderr)
    redo_from(journal, damages[0].round, damages[0].stage)


def link_names(out: OutPaths, run: RunPaths) -> None:
    """Point the names at the top of OUT_DIR to this run; those it has not made yet are taken away."""
    relative = run.root.relative_to(out.root)
    made = [path.name for path in [*run.root.glob("out_lora_round_*"), run.best_adapter] if path.exists()]
    for name in ["data", "eval", *made]:
        replace_link(out.root / name, str(relative / name))
    for stale in [*out.root.glob("out_lora_round_*"), out.root / "best_adapter"]:
        if stale.is_symlink() and stale.name not in made:
            stale.unlink()
