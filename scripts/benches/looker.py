"""Looks at a run again and again and says what that took: the dashboard, or a peer that reads the whole file each time.

    python looker.py dashboard|whole OUT_DIR RUN_ID LOOKS SECONDS_BETWEEN

Prints one line of JSON: seconds until the first look was there, seconds of each later one, seconds of each frame by
view and size, the process's peak memory in MiB.
"""

import json
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

SIZES = ((80, 24), (200, 60))


def main(who: str, out: Path, run_id: str, looks: int, pause: float) -> None:
    """Measure one of the two in this process."""
    measured = _dashboard(out, looks, pause) if who == "dashboard" else _whole(out / "runs" / run_id, looks, pause)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(json.dumps({**measured, "peak_mb": peak / 1024}))


def _dashboard(out: Path, looks: int, pause: float) -> dict[str, Any]:
    from autotrain.monitor.follow import Follower
    from autotrain.monitor.views.frame import frame
    from autotrain.monitor.views.page import VIEWS, Page
    from autotrain.run.paths import OutPaths

    began = time.perf_counter()
    follower = Follower(OutPaths(out))
    snapshot = follower.look()
    first = time.perf_counter() - began
    pages = [Page(view, width, height) for width, height in SIZES for view in range(1, len(VIEWS) + 1)]
    for page in pages:
        # The first time loads what draws curves.
        frame(snapshot, page)
    later: list[float] = []
    frames: dict[str, list[float]] = {f"{page.width}x{page.height} {VIEWS[page.view - 1]}": [] for page in pages}
    for _ in range(looks):
        time.sleep(pause)
        began = time.perf_counter()
        snapshot = follower.look()
        later.append(time.perf_counter() - began)
        for name, page in zip(frames, pages, strict=True):
            began = time.perf_counter()
            frame(snapshot, page)
            frames[name].append(time.perf_counter() - began)
    return {"first": first, "later": later, "frames": frames, "events": len(snapshot.events)}


def _whole(run: Path, looks: int, pause: float) -> dict[str, Any]:
    """Every line of events.jsonl, parsed and counted; the last 20 are what it would show. It draws nothing."""
    seconds = []
    for number in range(looks + 1):
        time.sleep(pause if number else 0)
        began = time.perf_counter()
        json.loads((run / "state.json").read_text(encoding="utf-8"))
        counters: Counter[str] = Counter()
        with (run / "events.jsonl").open(encoding="utf-8") as stream:
            last: deque[dict[str, Any]] = deque(maxlen=20)
            for line in stream:
                event = json.loads(line)
                counters.update(event["counters_delta"])
                last.append(event)
        seconds.append(time.perf_counter() - began)
    return {"first": seconds[0], "later": seconds[1:], "frames": {}, "events": len(last)}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
