"""corpus_metrics.py: the tokens of a language, and the sample of many rows."""

import numpy as np
import pytest

from pipeline.evaluation.corpus_metrics import TER_ROWS, Bleu, Ter
from pipeline.evaluation.side_by_side import SideBySide


def side_by_side(answers: list[str], chosen: list[str]) -> SideBySide:
    """Return answers of one model beside the chosen ones."""
    return SideBySide(ids=list(map(str, range(len(answers)))), chosen=chosen, answers={"dpo": answers})


@pytest.mark.parametrize(
    ("language", "text", "tokens"),
    [("en", "Save it.", 3), ("zh", "保存它", 3), ("ja", "保存する", 4), ("ko", "파일 저장", 4), ("th", "บันทึก", 6)],
)
def test_a_language_without_spaces_between_words_is_compared_by_characters(language, text, tokens):
    assert Bleu(language).statistics(side_by_side([text], [text]), "dpo")[0, :2].tolist() == [tokens, tokens]


def test_ter_of_many_rows_is_of_a_sample_in_which_no_row_is_twice():
    rows = side_by_side(["one"] * (TER_ROWS + 50), ["two"] * (TER_ROWS + 50))
    edits = Ter(seed=17).statistics(rows, "dpo")
    assert np.isnan(edits[:, 0]).sum() == 50 and np.nansum(edits[:, 0]) == TER_ROWS


def test_the_sample_of_ter_depends_on_the_seed_and_not_on_the_model():
    rows = side_by_side(["one"] * (TER_ROWS + 50), ["two"] * (TER_ROWS + 50))
    rows.answers["base"] = ["two"] * (TER_ROWS + 50)
    drawn = [
        np.isnan(Ter(seed).statistics(rows, model)[:, 0]).tolist()
        for seed, model in ((17, "dpo"), (17, "base"), (18, "dpo"))
    ]
    assert drawn[0] == drawn[1] != drawn[2]
