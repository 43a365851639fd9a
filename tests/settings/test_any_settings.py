"""The settings, given values of any kind: they can be used, or one line names the key; nothing else escapes."""

import copy
import json
import shlex

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.settings.check import find_problems, load_config, load_schema, merge
from pipeline.settings.flags import flag_words, infer_settings
from pipeline.settings.formats import FORMATS
from pipeline.settings.reads import READS, hand_parts, list_settings
from pipeline.settings.runs import list_runs
from pipeline.settings.strict_yaml import FaultyFile, parse_settings

CONFIG = load_config([])
SCHEMA = load_schema()
SETTINGS = list(list_settings(SCHEMA, CONFIG))
often = settings(suppress_health_check=list(HealthCheck), max_examples=4 * settings.default.max_examples)

odd_texts = st.sampled_from(
    [
        *(
            "",
            " ",
            "\n",
            "x\n",
            "-x",
            "--help",
            "{run}",
            "{x}",
            "{{",
            "}",
            "$HOME",
            "`id`",
            "'",
            '"',
            "\0",
            "\ud800",
            "~",
        ),
        *("a/../b", "**.jsonl", "[", "x" * 300, "x/" * 3000, "*", "true", "null", "1e400", "2026-02-30", "٣", "\u2028"),
    ]
)
odd_numbers = st.sampled_from([float("nan"), float("inf"), float("-inf"), 10**400, -1, 0, 1e308, 4.0, 0.5, True])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | odd_numbers | odd_texts | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | odd_texts | st.integers() | st.none(), inner, max_size=3)
        | st.dictionaries(st.sampled_from(SETTINGS), st.lists(inner, max_size=2), max_size=2).map(lambda m: {"grid": m})
    ),
    max_leaves=6,
)


@st.composite
def any_settings(draw) -> dict:
    """Draw the settings of config.yaml with other values in a few places."""
    changed = copy.deepcopy(CONFIG)
    for setting in draw(st.lists(st.sampled_from(SETTINGS), min_size=1, max_size=3)):
        section, value = changed, draw(values)
        *above, name = setting.split(".")
        for key in above:
            section = section[key] if isinstance(section[key], dict) else section
        section[draw(st.just(name) | odd_texts) if draw(st.integers(0, 9)) == 0 else name] = value
    if draw(st.integers(0, 19)) == 0:
        del changed[draw(st.sampled_from(sorted(changed, key=str)))]
    return changed


def use(config: dict) -> None:
    """Do with settings what the Snakefile and the scripts do with them before anything else."""
    runs = list_runs(config)
    for rule in READS:
        for run in runs:
            part = json.loads(hand_parts(runs)(rule)(type("Wildcards", (), {"run": run})))
            json.dumps(part, allow_nan=False).encode()
    for settings_ in (config["dpo"], infer_settings(config)):
        shlex.join(flag_words(settings_)).encode()


@often
@given(any_settings())
def test_settings_of_any_kind_can_be_used_or_are_refused_in_one_line(config):
    problems = find_problems(config)
    for problem in problems:
        assert len(problem.splitlines()) == 1 and problem.encode() and ":" in problem
    if not problems:
        use(config)


@often
@given(st.text(max_size=60) | st.dictionaries(st.text(max_size=5), values, max_size=4).map(yaml.safe_dump))
def test_a_file_of_any_text_is_read_or_refused_in_one_line(text):
    try:
        assert isinstance(parse_settings(text), dict)
    except FaultyFile as fault:
        assert len(str(fault).splitlines()) == 1


@often
@given(st.text("0178_:+-.eExob", min_size=1, max_size=6))
def test_a_number_is_read_as_it_is_written_or_refused(text):
    try:
        value = parse_settings(f"a: {text}")["a"]
    except FaultyFile:
        return
    if isinstance(value, int | float):
        assert "_" not in text and value == float(text)


def texts_of(part: dict, name: str):
    """Yield each part of the schema that takes a text, with its name."""
    types = part.get("type", [])
    if "string" in ([types] if isinstance(types, str) else types):
        yield name, part
    for key, inner in part.get("properties", {}).items():
        yield from texts_of(inner, f"{name}.{key}")
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(part.get(key), dict):
            yield from texts_of(part[key], f"{name}.{key}")


def test_of_every_text_it_is_said_what_it_may_be():
    assert [name for name, part in texts_of(SCHEMA, "") if not {"enum", "pattern", "format"} & set(part)] == []
    assert {part["format"] for _, part in texts_of(SCHEMA, "") if "format" in part} == set(FORMATS)


def numbers_of(part: dict, keys: tuple = ()):
    """Yield the keys of each number in the schema."""
    types = part.get("type", [])
    if {"number", "integer"} & set([types] if isinstance(types, str) else types):
        yield keys
    for key, inner in part.get("properties", {}).items():
        yield from numbers_of(inner, (*keys, key))


def nest(keys: tuple, value: object) -> dict:
    """Return an overlay with one setting."""
    for key in reversed(keys):
        value = {key: value}
    return dict(value)  # type: ignore[call-overload]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 10**400], ids=str)
def test_what_is_not_a_finite_number_is_refused_by_every_setting_that_takes_a_number(value):
    for keys in numbers_of(SCHEMA):
        # Where a section is null in config.yaml, other lines say what is missing in it.
        assert any("number" in line or "integer" in line for line in find_problems(merge(CONFIG, nest(keys, value))))


PATTERNS = {
    "run": "tiny",
    "prompt.date": "2026-01-02",
    "train.gpu_model": "h20",
    "tracking.host": "https://a.example",
    "merge.max_shard_size": "5GB",
}


@pytest.mark.parametrize("setting", PATTERNS)
def test_a_line_break_at_the_end_of_a_text_is_refused(setting):
    assert find_problems(merge(CONFIG, nest(tuple(setting.split(".")), f"{PATTERNS[setting]}\n")))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("run: a\nrun: b\n", "2: run stands a second time, after line 1; keep one of them"),
        ("dpo: {beta: 1, seed: 2, beta: 3}", "1: dpo.beta stands a second time, after line 1; keep one of them"),
        (
            "dpo:\n  beta: 1\ntrain: {}\ndpo:\n  seed: 1\n",
            "4: dpo stands a second time, after line 1; keep one of them",
        ),
        (
            "sweep:\n  list:\n  - {a: 1,\n     a: 2}",
            "4: sweep.list.0.a stands a second time, after line 3; keep one of them",
        ),
        ('{"run": "a", "run": "b"}', "1: run stands a second time, after line 1; keep one of them"),
        ("a: &a [*a]", "1: a.0 holds itself; write the value out"),
        ("prompt: {date: 2026-02-30}", " day is out of range for month; correct the YAML"),
        ("a: [", "1: expected the node content, but found '<stream end>'; correct the YAML"),
        ("a: !!python/name:os.system x", None),
        ("- a", " holds no settings; write `section: {key: value}`"),
        ("", " holds no settings; write `section: {key: value}`"),
        ("a: 1\n---\nb: 1", "2: but found another document; correct the YAML"),
        ("[" * 5000, " nested too deep; settings have four levels at most"),
        ("a: 0x" + "f" * 5000, None),
    ],
)
def test_a_file_that_can_be_read_in_two_ways_or_in_none_is_refused_with_its_line(text, fault):
    with pytest.raises(FaultyFile) as refused:
        parse_settings(text)
    said = str(refused.value)
    assert len(said.splitlines()) == 1
    assert fault is None or said == fault


def test_a_map_that_takes_values_from_another_one_may_overrule_them():
    text = "base: &base {beta: 1}\ndpo: {<<: *base, beta: 2}\nsft: {<<: *base}\n"
    assert parse_settings(text) == {"base": {"beta": 1}, "dpo": {"beta": 2}, "sft": {"beta": 1}}
