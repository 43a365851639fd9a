"""plugins/stop_in_time.py: at which step a training stops that is asked to, and what it leaves out then."""

import runpy
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from pipeline.launch.contract import Contract

pytestmark = pytest.mark.training_environment

ARGS = SimpleNamespace(device="cpu")
LAST = 6


@pytest.fixture
def callback(tmp_path, monkeypatch) -> Any:
    """Return the callback of a training whose stop file is tmp_path / "stop"."""
    for name, value in Contract(tmp_path, 1, 1).write().items():
        monkeypatch.setenv(name, value)
    return runpy.run_path("plugins/stop_in_time.py")["StopInTime"](None, None)


@pytest.fixture(params=["alone", "with others"])
def processes(request):
    """Be the only process, or one that could have others: the first one looks for the file."""
    if request.param == "alone":
        yield
        return
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(
    ("asked", "logged", "step", "stops"),
    [(True, True, 4, True), (False, True, 4, False), (True, False, 4, False), (True, True, LAST, False)],
)
def test_it_stops_with_a_checkpoint_at_the_next_logged_step_but_the_last(
    callback, tmp_path, asked, logged, step, stops
):
    if asked:
        (tmp_path / "stop").touch()
    control = SimpleNamespace(should_log=logged, should_save=False, should_training_stop=False)
    callback.on_step_end(ARGS, SimpleNamespace(global_step=step, max_steps=LAST), control)
    assert control == SimpleNamespace(should_log=logged, should_save=stops, should_training_stop=stops)


@pytest.mark.parametrize(
    ("stopped", "step", "epoch", "ends"),
    [(True, 4, 1.5, False), (False, 4, 1.5, True), (True, 3, 1.0, True), (True, LAST, 1.5, True)],
)
def test_an_epoch_that_was_left_in_its_middle_is_not_measured_and_saved(callback, stopped, step, epoch, ends):
    control = SimpleNamespace(should_training_stop=stopped, should_evaluate=True, should_save=True, should_log=True)
    callback.on_epoch_end(ARGS, SimpleNamespace(global_step=step, max_steps=LAST, epoch=epoch), control)
    assert {control.should_evaluate, control.should_save, control.should_log} == {ends}
