"""Proving what a sample claims by running it: programs go through `jail`, samples through `verify`."""
