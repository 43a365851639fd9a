"""planning/pair_tokens.py: what is estimated without a tokenizer."""

import pytest

from pipeline.files.json_lines import read_json_lines
from pipeline.planning.pair_tokens import rate_of
from pipeline.planning.tokens import GPT_OSS, estimate_pair
from scripts.split_preferences import choose_split
from tests.support.conversion import convert
from tests.support.planned import settings
from tests.support.project import ROOT

RAW = ROOT / "data" / "interface" / "pairs.jsonl"


def test_the_default_is_estimated_to_a_hundredth_of_what_its_own_tokenizer_counted(tmp_path):
    config = settings("")
    assert convert(RAW, tmp_path) is None
    pairs = tmp_path / "pairs.jsonl"
    is_held_out = choose_split(pairs, config["data"])
    train = [estimate_pair(pair, rate_of(config)) for pair in read_json_lines(pairs) if not is_held_out(pair)]
    assert len(train) == 640
    assert sum(tokens.chosen + tokens.rejected for tokens in train) == pytest.approx(143_506, rel=0.01)


def test_a_model_in_a_folder_is_estimated_as_gpt_oss():
    assert rate_of(settings("tutorial")) is GPT_OSS
