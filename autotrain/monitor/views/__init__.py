"""From a snapshot to what is shown: pure functions, used by the live screen, by --once and by the tests."""
