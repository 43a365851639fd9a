"""The commands of the rules: short, one option a line, and everything quoted that is filled in."""

import re

import pytest

from tests.support.project import ROOT

MOST_OPTIONS = 8
OPTION = re.compile(r"\s--[a-z][a-z-]*")
# Words that Snakemake may add by itself: a list of an option and its value.
WITH_OPTION = re.compile(r'\["(--[a-z-]+)"')
SHELL = re.compile(r'rule (\w+):(?:(?!\brule \w+:).)*?shell:\s+"""(.*?)"""', re.DOTALL)
RULES = {
    name: shell for path in sorted((ROOT / "rules").glob("*.smk")) for name, shell in SHELL.findall(path.read_text())
}


def test_every_script_has_a_rule_with_a_command():
    assert {path.stem for path in (ROOT / "scripts").glob("[!_]*.py")} == {*RULES, "train_sft"}


@pytest.mark.parametrize("rule", RULES)
def test_a_command_has_eight_options_at_most_and_one_a_line(rule):
    lines = RULES[rule].splitlines()
    assert sum(len(OPTION.findall(line)) for line in lines) <= MOST_OPTIONS
    assert all(len(OPTION.findall(line)) <= 1 for line in lines)


def test_a_training_has_eight_options_with_those_of_its_parameters():
    text = (ROOT / "rules" / "dpo.smk").read_text(encoding="utf-8")
    assert len(OPTION.findall(RULES["train_dpo"])) + len(WITH_OPTION.findall(text)) == MOST_OPTIONS


@pytest.mark.parametrize("rule", RULES)
def test_everything_that_is_filled_into_a_command_is_quoted(rule):
    assert [word for word in re.findall(r"{[^{}]*}", RULES[rule]) if not word.endswith(":q}")] == []
