"""docs/formats.md: its example works as it is written."""

import json
import re
from collections import Counter

import yaml

from pipeline.preferences.options import Options
from pipeline.preferences.read_row import read_row, recognise_row
from tests.support.project import ROOT


def test_the_row_of_the_page_is_read_with_the_settings_below_it():
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    example = re.search(r"for rows such as `(\{.*\})`:\n\n```yaml\n(.*?)```", page, re.DOTALL)
    assert example
    row, settings = json.loads(example[1]), yaml.safe_load(example[2])["data"]
    options = Options(columns=tuple(settings["columns"].items()), ignore=frozenset(settings["ignore"]))
    format_name = recognise_row(row, options)
    assert format_name
    pair = read_row(row, format_name, options, Counter()).pair
    assert [message.content for message in pair.messages] == ["保存", "Save"] and pair.rejected_response == "Saving"
