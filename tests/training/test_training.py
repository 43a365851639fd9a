"""training/training.py: what a training is asked for."""

import pytest

from pipeline.training.training import training_parser

OPTIONS = {
    "--settings": ["{}"],
    "--out": ["results/tiny/dpo/adapter"],
    "--model": ["results/tiny/model"],
    "--manifest": ["results/tiny/model.sha256"],
    "--pairs": ["results/tiny/data/train.jsonl", "results/tiny/data/val.jsonl"],
    "--checkpoints": ["results/checkpoints"],
}


@pytest.mark.parametrize("missing", OPTIONS)
def test_a_training_is_not_begun_without_one_of_its_paths_or_its_settings(missing, capsys):
    words = [word for name, values in OPTIONS.items() if name != missing for word in (name, *values)]
    with pytest.raises(SystemExit):
        training_parser("Train.").parse_args(words)
    assert f"the following arguments are required: {missing}\n" in capsys.readouterr().err
