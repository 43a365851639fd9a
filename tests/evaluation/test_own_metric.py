"""own_metric.py: a file of the user's own that cannot be used is named in one line, with what is wrong."""

import re

import pytest

from pipeline.evaluation.own_metric import load_own_metric
from pipeline.evaluation.side_by_side import SideBySide


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0", "mine.py: ZeroDivisionError: division by zero"),
        ("", "mine.py: has no function polite; evaluate.own names it"),
        ("polite = 1", "mine.py: has no function polite; evaluate.own names it"),
        (
            "def polite(source, answer, chosen):\n    return 1 / 0",
            "mine.py: polite: ZeroDivisionError: division by zero, for the answer 'Save'",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(code, said, tmp_path):
    (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    rows = SideBySide(sources=["保存"], chosen=["Save it"], answers={"dpo": ["Save"]})
    with pytest.raises(SystemExit, match=re.escape(said) + "$"):
        load_own_metric(f"{tmp_path / 'mine.py'}:polite").statistics(rows, "dpo")
