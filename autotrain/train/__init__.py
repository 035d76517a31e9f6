"""From tested samples to an adapter: split, chat rendering, base models, QLoRA."""
