"""strict_yaml.py: numbers that YAML reads as others. test_any_settings.py reads any text."""

import pytest

from pipeline.settings.strict_yaml import FaultyFile, parse_settings


@pytest.mark.parametrize(
    ("number", "read"),
    [
        ("017", 15),
        ("1:30", 90),
        ("1_0", 10),
        ("0x1F", 31),
        ("0b11", 3),
        ("-010", -8),
        ("1_0.5", 10.5),
        ("1:30.5", 90.5),
    ],
)
def test_a_number_that_is_read_as_another_is_named_with_both(number, read):
    with pytest.raises(FaultyFile) as fault:
        parse_settings(f"dpo:\n  beta: {number}\n")
    assert str(fault.value) == f"2: dpo.beta: {number} is read as {read}; write {read}, or '{number}' for a text"


@pytest.mark.parametrize(
    ("text", "name"),
    [("a: [1, 017]", "a.1"), ("a: {b: [{c: 1_0}]}", "a.b.0.c"), ("a: {017: 1}", "a.017"), ("a: !!int '017'", "a")],
)
def test_it_is_found_wherever_it_stands(text, name):
    with pytest.raises(FaultyFile, match=f"^1: {name}: "):
        parse_settings(text)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0", 0), ("-3", -3), ("+3", 3), ("0.5", 0.5), ("1.0e-08", 1e-8), (".5", 0.5), ("4.", 4.0), ("'017'", "017"),
        ("'1:30'", "1:30"), ("a_b", "a_b"), ("0017z", "0017z"),
    ],
)  # fmt: skip
def test_other_numbers_and_texts_are_read_as_they_are_written(written, read):
    assert parse_settings(f"a: {written}") == {"a": read}
