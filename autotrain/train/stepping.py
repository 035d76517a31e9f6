"""An optimizer step in pieces: all its samples go through the model in as many passes as memory asks for."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from autotrain.errors import AutotrainError
from autotrain.train.batches import IGNORED, in_pieces


def step_trainer(most_tokens: int, packs: bool, on_less_memory: Callable[[int], None]) -> Any:
    """A class of trainer that lets at most `most_tokens` through the model at once, packed in one row where it `packs`.

    When memory does not suffice, these are halved, `on_less_memory` is told, and the same step is done again. Raises
    AutotrainError where not even one sample fits.
    """
    import torch
    from trl import SFTTrainer

    class StepTrainer(SFTTrainer):
        """One batch holds all samples of an optimizer step; it goes through the model in pieces that fit."""

        budget = most_tokens
        packed = packs

        def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
            while True:
                pieces = self._pieces(inputs)
                try:
                    return self._all_pieces(model, pieces, num_items_in_batch)
                except torch.OutOfMemoryError:
                    pass  # what the frames below hold is only free once this block is left
                model.zero_grad(set_to_none=True)
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                self.budget = self._smaller(pieces)
                on_less_memory(self.budget)

        def _pieces(self, inputs: Any) -> Any:
            pieces = in_pieces(inputs, self.budget, self.packed)
            if self.accelerator.num_processes == 1:
                return pieces
            # TRL exchanges figures at every piece, so that each process has to have as many.
            most = torch.tensor(len(pieces), device=self.accelerator.device)
            torch.distributed.all_reduce(most, torch.distributed.ReduceOp.MAX)
            return in_pieces(inputs, self.budget, self.packed, int(most))

        def _all_pieces(self, model: Any, pieces: Any, num_items: Any) -> Any:
            total: Any = 0
            for number, piece in enumerate(pieces, start=1):
                # Several processes exchange gradients once a step.
                alone = number < len(pieces) and self.accelerator.num_processes > 1
                with self.accelerator.no_sync(model) if alone else nullcontext():
                    total = total + super().training_step(model, piece, num_items)
            return total

        def _smaller(self, pieces: Any) -> int:
            """A budget that divides the largest piece. Raises AutotrainError where that is one sample."""
            largest = max(pieces, key=lambda piece: piece["input_ids"].numel())
            tokens: int = largest["input_ids"].numel()
            count = len(largest["input_ids"]) if not self.packed else int((largest["position_ids"] == 0).sum())
            if count == 1 or self.accelerator.num_processes > 1:
                raise AutotrainError(
                    f"out of memory: not even {tokens} tokens ({count} samples) fit at once. What helps most: a lower "
                    "SEQ_LEN (longer samples are then left out), a lower LORA_R, QUANTIZATION_BITS=4, or a smaller "
                    "BASE_MODEL; and other programs on the card take memory too"
                )
            return min(int(self.budget), tokens) // 2

        def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
            total: Any = 0
            with torch.no_grad():
                answers = int((inputs["labels"] != IGNORED).sum())
                for piece in self._pieces(inputs):
                    share = int((piece["labels"] != IGNORED).sum()) / max(answers, 1)
                    total = total + share * super().prediction_step(model, piece, True, ignore_keys)[0]
            return total, None, None

    return StepTrainer
