"""Watching a run: the dashboard and the menu will live here."""
