"""Stop a training that would not see every row: TRAIN_ROWS and VAL_ROWS say how many there are.

ms-swift drops rows that it cannot read or that are too long, and goes on with the rest.
"""

import os
from typing import Any

from swift.trainers import SwiftMixin

_train = SwiftMixin.train


def train(self: Any, *args: Any, **kwargs: Any) -> Any:
    """Train, if the trainer has as many rows on each side as were given to it."""
    for name, dataset in (("TRAIN_ROWS", self.train_dataset), ("VAL_ROWS", self.eval_dataset)):
        asked, loaded = int(os.environ[name]), len(dataset) if dataset is not None else 0
        if loaded != asked:
            raise RuntimeError(f"ms-swift loaded {loaded} rows of {asked} ({name}); its log says which it dropped")
    return _train(self, *args, **kwargs)


SwiftMixin.train = train
