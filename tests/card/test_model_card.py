"""Hugging Face's own library can read the card. (The Hub's check needs the network.)"""

import pytest
from huggingface_hub import ModelCard

from tests.support.card import EVALUATION, write_card

pytestmark = pytest.mark.training_environment


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Return the metadata of a card, as the library reads it."""
    monkeypatch.chdir(tmp_path)
    write_card(tmp_path)
    return ModelCard.load(tmp_path / "results/tiny/merged/README.md").data


def test_every_figure_comes_back_from_the_index(data):
    figures = EVALUATION["answers"]["dpo"] | EVALUATION["pairs"]["dpo"]
    expected = {name.replace("_", " "): value["value"] for name, value in figures.items() if value.get("value")}
    assert {result.metric_name: result.metric_value for result in data.eval_results} == expected
    assert {result.verified for result in data.eval_results} == {False}


def test_the_library_writes_the_metadata_as_it_read_them(data):
    again = ModelCard(f"---\n{data.to_yaml()}\n---\n").data
    assert again.to_dict() == data.to_dict()
