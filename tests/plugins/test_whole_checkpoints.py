"""plugins/whole_checkpoints.py: what is logged with a checkpoint, and what makes it whole."""

import runpy
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.training.checkpoints import MANIFEST, is_whole

pytestmark = pytest.mark.training_environment


@pytest.fixture
def callback() -> Any:
    """Return the callback."""
    return runpy.run_path("plugins/whole_checkpoints.py")["WholeCheckpoints"](None, None)


@pytest.mark.parametrize("event", ["on_step_end", "on_epoch_end"])
@pytest.mark.parametrize(("saved", "logged", "then"), [(1, 0, 1), (1, 1, 1), (0, 1, 1), (0, 0, 0)])
def test_what_is_saved_is_logged(callback, event, saved, logged, then):
    control = SimpleNamespace(should_save=bool(saved), should_log=bool(logged))
    getattr(callback, event)(None, None, control)
    assert control.should_log is bool(then)


@pytest.mark.parametrize("resumed", [None, "checkpoint-3"])
def test_a_training_that_goes_on_does_not_measure_again_what_was_measured_at_its_start(callback, resumed):
    args = SimpleNamespace(resume_from_checkpoint=resumed, eval_on_start=True)
    callback.on_train_begin(args, None, None)
    assert args.eval_on_start is (resumed is None)


@pytest.fixture(params=["first", "again"])
def checkpoint(request, tmp_path):
    """Return a checkpoint, written for the first time or over an older one of the same step."""
    folder = tmp_path / "checkpoint-3"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    if request.param == "again":
        (folder / MANIFEST).write_text("of other weights\n", encoding="utf-8")
    return folder


def test_the_first_process_seals_what_was_saved(callback, checkpoint, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    callback.on_save(SimpleNamespace(output_dir=str(checkpoint.parent)), SimpleNamespace(global_step=3), None)
    assert is_whole(checkpoint)


def test_another_process_seals_nothing(callback, checkpoint, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    callback.on_save(SimpleNamespace(output_dir=str(checkpoint.parent)), SimpleNamespace(global_step=3), None)
    assert not is_whole(checkpoint)
