"""reads.py: every setting is read by a rule or by the graph, and a script is handed its part alone."""

import pytest

from pipeline.settings.check import load_config, load_schema
from pipeline.settings.flags import swift_flags
from pipeline.settings.reads import GRAPH, READS, list_settings, part_for, readers_of
from tests.support.project import ROOT

CONFIG = load_config([])
SETTINGS = list(list_settings(load_schema(), CONFIG))


def test_every_setting_is_read_by_a_rule_or_shapes_the_graph():
    assert [setting for setting in SETTINGS if not list(readers_of(setting)) and setting not in GRAPH] == []


def test_every_rule_says_what_it_reads():
    rules = {line.split()[-1].rstrip(":") for path in (ROOT / "rules").glob("*.smk") for line in rule_lines(path)}
    assert rules == set(READS)


def rule_lines(path):
    """Return the lines in which a file begins a rule."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split(" with:")[0] for line in lines if line.strip().startswith(("rule ", "use rule "))]


@pytest.mark.parametrize("rule", READS)
def test_what_a_rule_reads_is_a_setting_or_a_section(rule):
    known = {
        setting[: len(name)] for name in READS[rule] for setting in SETTINGS if f"{setting}.".startswith(f"{name}.")
    }
    assert known == set(READS[rule])


def test_a_script_is_handed_nothing_that_it_does_not_read():
    assert part_for("split_preferences", CONFIG) == {
        "data": {name: CONFIG["data"][name] for name in ("val_fraction", "val_max", "split_seed", "split_by_tag")}
    }


def test_sft_is_handed_its_own_values_in_the_order_of_dpo():
    words = swift_flags(part_for("train_sft", CONFIG)["dpo"]).split()
    assert words[words.index("--learning_rate") + 1] == str(CONFIG["sft"]["learning_rate"])
    names = [word[2:] for word in words if word.startswith("--")]
    assert names == [name for name in CONFIG["dpo"] if name in names]
    assert "beta" not in names
