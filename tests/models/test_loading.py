"""loading.py: what loading a model took, as a line in a log and as figures for others."""

import pytest

from pipeline.models import loading
from pipeline.models.loading import Loading, note_loading, print_loading, read_loading
from pipeline.models.packed_experts import keep_packed

pytestmark = pytest.mark.training_environment


@pytest.fixture
def told(monkeypatch) -> list[Loading]:
    """Everything that listeners are told."""
    found: list[Loading] = []
    monkeypatch.setattr(loading, "listeners", [print_loading, found.append])
    return found


def load(folder, **asked):
    """Load a model as every stage does."""
    from transformers import AutoModelForCausalLM

    keep_packed()
    note_loading()
    note_loading()
    return AutoModelForCausalLM.from_pretrained(folder, **asked)


def test_listeners_are_told_once_of_a_loading(packed_and_plain, told):
    load(packed_and_plain[0])
    assert len(told) == 1


def test_a_caller_that_asks_for_what_was_missing_gets_it(packed_and_plain, told):
    model, info = load(packed_and_plain[0], output_loading_info=True)
    assert model.config.model_type == "gpt_oss" and not info["missing_keys"]
    assert len(told) == 1


def test_packed_experts_are_counted_with_their_scales(packed_and_plain, told):
    model = load(packed_and_plain[0])
    weights = model.config.num_hidden_layers * model.config.num_local_experts * 3 * model.config.hidden_size
    assert told[0].packed_gib == weights * model.config.intermediate_size * 17 / 32 / 2**30


def test_a_model_in_bfloat16_has_no_packed_experts(packed_and_plain, told):
    load(packed_and_plain[1])
    assert told[0].packed_gib == 0


def test_the_memory_is_what_the_process_had_at_the_most(packed_and_plain, told):
    load(packed_and_plain[0])
    assert 0.05 < told[0].memory_gib < 24


def test_a_log_with_several_processes_gives_the_most_of_each(tmp_path):
    lines = [str(Loading(12.34, 0.5, 1)), "[rank1] " + str(Loading(10, 0.25, 2.5))]
    (tmp_path / "train_dpo.log").write_text("\n".join(lines), encoding="utf-8")
    assert read_loading(tmp_path / "train_dpo.log") == Loading(12.3, 0.5, 2.5)


def test_a_job_that_loaded_no_model_has_no_figures(tmp_path):
    (tmp_path / "split.log").write_text("300 pairs", encoding="utf-8")
    assert read_loading(tmp_path / "split.log") is None
    assert read_loading(tmp_path / "missing.log") is None
