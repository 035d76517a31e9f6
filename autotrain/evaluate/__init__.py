"""What a model can do: answers to held-out tasks, run, counted and compared."""
