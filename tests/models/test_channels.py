"""channels.py: the analysis and the final of an assistant's text."""

import pytest

from pipeline.models.channels import split_channels
from pipeline.preferences.turns import ANALYSIS

NEXT = "<|end|><|start|>assistant"
THINKS, SAYS = "<|channel|>analysis<|message|>", "<|channel|>final<|message|>"
CALL = "<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Save", (None, "Save")),
        ("", (None, "")),
        (f"{SAYS}Save", (None, "Save")),
        (f"{SAYS}Save<|return|>", (None, "Save")),
        (ANALYSIS.format("A verb.", "Save"), ("A verb.", "Save")),
        (ANALYSIS.format(" two\n\nlines ", ""), (" two\n\nlines ", "")),
        (f"\n{ANALYSIS.format('A verb.', 'Save')}", ("A verb.", "Save")),
        (f"\n \n{SAYS}Save", (None, "Save")),
        (f"\n{CALL}", (CALL, None)),
        ("\nSave", (None, "\nSave")),
        (f"{THINKS}A ve", ("A ve", None)),
        (f"{THINKS}", ("", None)),
        (f"{THINKS}A verb.<|end|>", ("A verb.", None)),
        (f"{THINKS}one{NEXT}{THINKS}two{NEXT}{SAYS}Save", ("one\n\ntwo", "Save")),
        (f"{THINKS}one{NEXT}<|channel|>commentary<|message|>Wait.{NEXT}{SAYS}Save", ("one\n\nWait.", "Save")),
        (f"{THINKS}one{NEXT}{CALL}<|call|>", (f"one\n\n{CALL}", None)),
        (f"{THINKS}one{NEXT} to=functions.f<|channel|>commentary<|message|>{{}}<|call|>",
         ("one\n\n to=functions.f<|channel|>commentary<|message|>{}", None)),
        (f"{SAYS}Save{NEXT}{SAYS}Store", ("Save", "Store")),
        (f"{SAYS}Save{NEXT}{THINKS}Was that r", ("Was that r", "Save")),
        ("<|channel|>f.", ("<|channel|>f.", None)),
        (f"<|channel|>a<|channel|>b{NEXT}{SAYS}Save", ("<|channel|>a<|channel|>b", "Save")),
        ("The mark <|channel|> opens a channel.", (None, "The mark <|channel|> opens a channel.")),
        ("After <|start|>assistant comes it.", (None, "After <|start|>assistant comes it.")),
        (f"{SAYS}The mark <|message|> follows <|start|>assistant.",
         (None, "The mark <|message|> follows <|start|>assistant.")),
    ],
)  # fmt: skip
def test_a_text_is_taken_apart_into_analysis_and_final(text, found):
    assert split_channels(text) == found
