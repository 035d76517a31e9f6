"""Heidi AutoTrain: teacher-written tasks, run before they are believed, make a small coding model better."""

__version__ = "0.1.0"
