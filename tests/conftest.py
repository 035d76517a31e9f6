"""What every test stands on: no settings but its own, no hub, and child processes that find this checkout's package."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from autotrain.config import Settings

ROOT = Path(__file__).resolve().parent.parent

for name in [name for name in os.environ if name.lower() in Settings.model_fields]:
    del os.environ[name]
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))

# The same examples everywhere, and no clock: what fails is the code, not a machine that was busy just then.
settings.register_profile("tests", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

# What takes a minute or more, the longest first: scripts/test.sh gives whole files to two workers, as they get free.
LONG = (
    "test_faults", "test_end_to_end", "test_canary", "test_train_stages", "test_loop",
    "test_disk", "test_generate_stage", "test_api",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))
