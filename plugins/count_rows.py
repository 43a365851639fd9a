"""Stop a training that would not see every row: its contract says how many there are.

ms-swift drops rows that it cannot read or that are too long, and goes on with the rest.
"""

from typing import Any

from swift.callbacks import TrainerCallback, callbacks_map

from pipeline.launch.contract import Contract


class CountRows(TrainerCallback):
    """Counts the rows of both sides as soon as the trainer has them."""

    def on_init_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop, if the trainer has other rows than were given to it."""
        contract, trainer = Contract.read(), self.trainer
        for side, asked, rows in (
            ("training", contract.train_rows, trainer.train_dataset),
            ("held-out", contract.val_rows, trainer.eval_dataset),
        ):
            loaded = len(rows) if rows is not None else 0
            if loaded != asked:
                raise RuntimeError(f"ms-swift loaded {loaded} {side} rows of {asked}; its log says which it dropped")


callbacks_map["count_rows"] = CountRows
