"""Proving what a sample claims by running it: raw programs go through `sandbox`, samples through `verify`."""
