"""Open the SwanLab run before ms-swift does, as its contract says (pipeline/tracking/swanlab_session.py).

Only the first process records.
"""

import os

import swanlab

from pipeline.launch.contract import Contract
from pipeline.models.loading import Loading, listeners
from pipeline.tracking.swanlab_session import open_run


def log_loading(loading: Loading) -> None:
    """Log what loading the model took, before the first step."""
    swanlab.log({f"loading/{name}": value for name, value in loading._asdict().items()}, step=0)


if os.environ.get("RANK", "0") == "0":
    wanted = Contract.read().tracking
    assert wanted, "the contract says nothing of SwanLab"
    open_run(wanted)
    listeners.append(log_loading)
