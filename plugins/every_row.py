"""Train every row: ms-swift leaves out those that do not divide among the processes.

Each process gets rows // processes of them, so that of 639 rows on 4 GPUs the last 3 are never trained, in
any epoch. Here each gets that rounded up, and the last round is filled with the first rows once more, as
torch's own DistributedSampler does it. Where the rows divide, nothing changes.

This is ms-swift's sampler, which SFT and DPO use. The other trainers (KTO, CPO, SimPO, ORPO) have accelerate's, which
fills the last round by itself (`even_batches`).
"""

from collections.abc import Iterator
from typing import Any

from swift.dataloader import BatchSamplerShard

_init, _iterate = BatchSamplerShard.__init__, BatchSamplerShard.__iter__


def init(self: Any, total_samples: int, *args: Any, **kwargs: Any) -> None:
    """Take the number of rows, and share it out rounded up."""
    _init(self, total_samples, *args, **kwargs)
    self.rows = total_samples
    self.total_samples = -(-total_samples // self.world_size)


def iterate(self: Any) -> Iterator[list[int]]:
    """Yield batches of row numbers, none of them beyond the last row."""
    for batch in _iterate(self):
        yield [number % self.rows for number in batch]


BatchSamplerShard.__init__, BatchSamplerShard.__iter__ = init, iterate
