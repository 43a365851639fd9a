"""plugins/fast/compiled_layers.py: a layer says compiled what it says as it is, and is compiled for every length."""

import runpy
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import torch
import torch._dynamo
import torch._inductor.config
from swift.trainers import SwiftMixin

pytestmark = [pytest.mark.training_environment, pytest.mark.usefixtures("plugins_leave_no_trace")]


class Gate(torch.nn.Module):
    """Computes as gpt-oss's experts do: several numbers, one after the other, that a compiler puts into one kernel."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return states of the same shape."""
        return torch.sigmoid(states * 1.702) * states + 1


class Reshape(torch.nn.Module):
    """Computes nothing, and so is compiled in no time."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return the same numbers in a row."""
        return states.view(-1)


@pytest.fixture
def train(monkeypatch) -> Iterator[Callable[..., list[torch.Tensor]]]:
    """Return a function that runs a layer on some states, in place of a training with compiled layers.

    A layer that is compiled too often, and would run as it is, raises an error here.
    """

    def run(layer: torch.nn.Module, *states: torch.Tensor) -> list[torch.Tensor]:
        base = SimpleNamespace(model=SimpleNamespace(layers=[layer]), enable_input_require_grads=lambda: None)
        peft = SimpleNamespace(get_base_model=lambda: base)
        trainer = SimpleNamespace(model=peft, accelerator=SimpleNamespace(unwrap_model=lambda model: model))
        monkeypatch.setattr(SwiftMixin, "train", lambda self: [layer(some) for some in states])
        runpy.run_path("plugins/fast/compiled_layers.py")
        return SwiftMixin.train(trainer)

    rounding = torch._inductor.config.patch(emulate_precision_casts=False)
    limit = torch._dynamo.config.patch(recompile_limit=8, fail_on_recompile_limit_hit=True)
    with rounding, limit:
        yield run
    torch._dynamo.reset()


def test_numbers_are_rounded_to_bfloat16_where_the_layer_says_so(train, compiler):
    states = torch.linspace(-3, 3, 512, dtype=torch.bfloat16)
    (compiled,) = train(Gate(), states)
    assert torch.equal(compiled, Gate()(states))


def test_a_layer_is_compiled_for_every_length(train):
    lengths = range(2, 14)
    found = train(Reshape(), *(torch.ones(1, length) for length in lengths))
    assert [len(states) for states in found] == list(lengths)
