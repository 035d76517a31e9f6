"""What bench.py measures, one module a stage, and the programs that stand beside the stages while it does."""
