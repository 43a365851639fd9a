"""draw_charts.py: the files of charts are the same bytes whatever fonts a machine has."""

import os

import pytest

from pipeline.report.draw_charts import draw_files
from tests.support.other_fonts import install_font, run_python

DRAW = """
import sys
from pathlib import Path
from pipeline.report.curves import Chart
from pipeline.report.draw_charts import draw_files
points = [{"step": step, "value": -step, "line": "training"} for step in range(3)]
draw_files([Chart("loss", points), Chart("loss", points, stage="sft")], Path(sys.argv[1]))
"""
# Words with characters that the font of vl-convert does not have.
OTHER_WORDS = "from pipeline.report import charts\ncharts.say = lambda *_: '中文 ⇒'\n"
FONT = "from pipeline.report.charts import PAPER_FONT; print(PAPER_FONT.partition(',')[0])"


@pytest.mark.parametrize("words", ["", OTHER_WORDS], ids=["words of the project", "words that the font lacks"])
def test_a_chart_has_the_same_bytes_on_a_machine_whose_fonts_have_the_same_name(tmp_path, words):
    machines = [{}, install_font(run_python(FONT).strip(), tmp_path)]
    drawn = []
    for number, machine in enumerate(machines):
        folder = tmp_path / str(number)
        run_python(words + DRAW, str(folder), **machine)
        drawn.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert sorted(drawn[0]) == ["loss.png", "loss.svg", "sft_loss.png", "sft_loss.svg"]
    assert drawn[0] == drawn[1]


def test_programs_that_start_after_a_drawing_see_the_fonts_of_the_machine(tmp_path):
    before = dict(os.environ)
    draw_files([], tmp_path)
    assert dict(os.environ) == before
