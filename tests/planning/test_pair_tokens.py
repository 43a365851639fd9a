"""planning/pair_tokens.py: what is estimated without a tokenizer."""

import pytest

from pipeline.files.json_lines import read_json_lines
from pipeline.planning.pair_tokens import NO_TRAINING, lengthen_pair, list_sides, rate_of
from pipeline.planning.tokens import GPT_OSS, PairTokens, estimate_pair
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


@pytest.mark.parametrize(
    ("analyses", "counted", "folder"), [(None, True, "dpo"), (None, False, "data"), ("base", True, "data")]
)
def test_a_plan_lets_no_model_write_analyses_and_leaves_the_pairs_of_the_training_alone(analyses, counted, folder):
    config = settings("", data={"analyses": analyses})
    assert {path.parent.as_posix() for path in list_sides(config, counted)} == {f"results/tiny/{folder}"}
    assert NO_TRAINING["data"] == {"analyses": None}


@pytest.mark.parametrize(("most", "longer"), [(32, 32), (2048, 112)], ids=["room for all", "as much as fits"])
def test_an_analysis_makes_both_answers_longer_as_far_as_they_fit(most, longer):
    config = settings("", data={"analyses": "base"}, infer={"max_new_tokens": most}, dpo={"max_length": 512})
    assert lengthen_pair(PairTokens(90, 400, 300), config) == PairTokens(90, 400 + longer, 300 + longer)
