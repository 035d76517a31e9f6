"""One run: its folder, its state, what happened in it, and how it is steered."""
