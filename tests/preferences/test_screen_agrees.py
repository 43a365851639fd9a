"""The fast checks of preference data against slow and plain ones, on generated rows and texts.

What is fast may refuse or flag too much nowhere that it has the last word, and too little nowhere at all.
"""

import copy
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pipeline.preferences import duplicates, spill
from pipeline.preferences.checks import (
    CONTROL,
    PAIR_CHECKS,
    TEXT_CHECKS,
    Fault,
    PairCheck,
    find_blank,
    find_pair_faults,
    find_role_faults,
    find_text_faults,
)
from pipeline.preferences.chunk import Chunk
from pipeline.preferences.columns import ASSISTANT, REJECTED, ROLES, USER, Columns
from pipeline.preferences.convert_chunk import Converted, Options, convert_chunk
from pipeline.preferences.formats import FORMATS
from pipeline.preferences.pair import Message, Pair
from pipeline.preferences.prepare_row import prepare
from pipeline.preferences.read_row import our_row
from pipeline.preferences.translation import translation_checks
from pipeline.preferences.turns import plain_turns
from pipeline.settings.check import load_schema
from tests.support.project import ROOT

LANGUAGES = load_schema()["properties"]["data"]["properties"]["languages"]["properties"]["source"]["enum"]
SCHEMA = json.loads((ROOT / "schemas" / "pair.schema.json").read_text(encoding="utf-8"))
VALIDATORS = {
    name: Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]}) for name in SCHEMA["$defs"]
}
NOT_TEXTS = {"id", "tag", "input", "system", "role", "from"}  # keys whose values may be blank, or are not text


def thoroughly(examples: int) -> settings:
    """Return the settings of a test: the same examples every time."""
    return settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


# Texts

WHITE = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000"
ODD = "İıIßẞſςΣσKkÅé\u0301\u200b\u200d\ufeff，。Ａ０٣😀\U0001f1e9"
BAD = {
    "blank-text": ("", " ", "\u3000", "\x1c"),
    "control-token": (
        *("<|end|>", "<｜User｜>", "<|a b|>", "<||>"),
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>",
        *("[INST]", "`[INST]`", "</s>", "<s>", "<eos>", "<end_of_turn>", "<turn|>", "</tool_call>"),
    ),
    "no-final": (
        *("<|channel|>analysis<|message|>", "<|channel|>analysis<|message|>a<|end|>"),
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
    "think-text": (
        *("<think>", "</think>", "<THINKING>", "</Thinking>", "<thİnk>", "</thınK>"),
        *("[/THINK]", "◁think▷", "<seed:think>", "<reason>a</reason>", "<Seed:Think>"),
    ),
    "empty-think": (
        *("<think>\n</think>", "<Think></thinK>", "<thınkıng></THINKING>", "<think>\x1c</think>"),
        "<|channel|>analysis<|message|>\n<|end|><|start|>assistant<|channel|>final<|message|>a",
    ),
    "harmony-system": (
        "Knowledge cutoff: 2024-06\nCurrent date: 2025-06-28",
        "\n# Valid channels: analysis",
        "namespace functions {",
    ),
    "harmony-text": ("assistantfinal", "analysisa.assistantfinalB", "assistantcommentary to=a", "analysisWe a"),
    "transcript": ("\n\nHuman: a\n\nAssistant: b", "USER: a ASSISTANT:", "assistant\n\n", "assistant\r\n\r\n"),
    "serialised-conversation": ('[{"role": "user", "content": "a"}]', "{'from': 'gpt', 'value': 'a'}", '{"role": 1}'),
    "media-placeholder": ("<image>", "<video>\n", "<audio></audio>", "<IMAGE>"),
    "reasoning-effort": ("Reasoning: high", "reasoning effort: LOW\n", "Reasoning:"),
    "control-character": ("\x00", "\x08", "\x0b", "\x0c", "\x1c", "\x1f", "\x7f", "\ufffd"),
}
GOOD = (
    *("%s", "{name}", "$1", "1,000", "3.5", "<b>", "</b>", "https://a.b/c?d", "保存文件", "カタカナ", "한국어", "שלום"),
    *("Привет", "สวัสดี", "मानक", "عربي", "Straße", "ΟΔΟΣ", "Save it", '"', "\\", "/", '":', "\\u0041", "<|", "|>", "ǅ"),
)
small_texts = st.sampled_from(("", *GOOD)) | st.text(alphabet=WHITE + ODD, max_size=3) | st.text(max_size=3)
good_texts = st.tuples(*[st.sampled_from(GOOD) | st.text(alphabet=ODD + " ,\u3000\xa0", max_size=4)] * 2).map("".join)
words = st.sampled_from([*("a", "保存", "x y", "\u200b", "é\n", "0") * 4, "\u2003", " ", "", "\x1c", "\x85"])


# Rows

messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(list(ROLES)), "content": words}), min_size=1, max_size=3
)
names = {
    "id": st.none() | st.integers() | st.integers(2**64, 2**70) | st.text(max_size=2),
    "tag": st.none() | st.text(max_size=2),
}
completions = st.one_of(
    st.fixed_dictionaries(
        {answer: words, score: st.integers(-3, 3) | st.floats(-2, 2)}, optional={"rating": st.just(1)}
    )
    for answer, score in [("response", "score"), ("text", "overall_score"), ("content", "fine-grained_score")]
)


def row_of(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return rows with some keys, a name, and keys that nobody reads."""
    return st.fixed_dictionaries(required, optional=optional | names | {"extra": st.just({"role": [None]})})


VALID = {
    "swift": row_of({"messages": messages, "rejected_response": words}, rejected_messages=st.none() | messages)
    | row_of({"messages": messages, "rejected_messages": messages}),
    "trl": row_of({"chosen": words, "rejected": words}, prompt=st.none() | words | messages)
    | row_of({"chosen": messages, "rejected": messages}, prompt=st.none() | words | messages),
    "ab": row_of({"a": words, "b": words, "winner": st.sampled_from(["a", "b", "tie", "?"])}, prompt=words | messages)
    | row_of({"a": messages, "b": messages, "preference": st.integers(-2, 2)}, prompt=words)
    | row_of({"a": words, "b": words}, prompt=words, a_wins=st.integers(0, 2), score_a=st.floats(-2, 2)),
    "alpaca": row_of(
        {"instruction": words, "chosen": words, "rejected": words},
        input=st.none() | words,
        system=st.none() | words,
        history=st.none() | st.lists(st.lists(words, min_size=2, max_size=2), max_size=2),
    ),
    "hh": row_of({"chosen": words, "rejected": words}),
    "scored": row_of({"completions": st.lists(completions, min_size=2, max_size=3), "prompt": words}, instruction=words)
    | row_of({"completions": st.lists(completions, min_size=2, max_size=3), "instruction": words}),
}
WRONG = (
    None,
    True,
    False,
    0,
    1,
    -1.5,
    10**30,
    2**63,
    [],
    {},
    [[]],
    [{}],
    "",
    " ",
    "\u3000",
    "x",
    ["x"],
    [1, "x"],
    [None],
)
KEYS = (
    "role",
    "content",
    "from",
    "value",
    "score",
    "text",
    "rejected_messages",
    "rejected_response",
    "prompt",
    "id",
    "é",
)


@st.composite
def changed_rows(draw: Callable[..., Any], name: str) -> Any:
    """Draw a row of a format that is valid except for a few changes, or none."""
    row = copy.deepcopy(draw(VALID[name]))
    for _ in range(draw(st.integers(0, 2))):
        places = list(containers(row))
        if not places:
            break
        place = draw(st.sampled_from(places))
        wrong = copy.deepcopy(draw(st.sampled_from(WRONG)))
        if isinstance(place, list):
            change = draw(st.sampled_from(["clear", "append", "replace"]))
            if change == "clear" or not place:
                place.clear()
            elif change == "append":
                place.append(copy.deepcopy(draw(st.sampled_from([wrong, place[0]]))))
            else:
                place[draw(st.integers(0, len(place) - 1))] = wrong
        else:
            key = draw(st.sampled_from([*place, *KEYS]))
            if draw(st.booleans()) and key in place:
                del place[key]
            else:
                place[key] = wrong
    return row


def containers(value: Any) -> Iterator[Any]:
    """Yield all objects and lists of a value."""
    if isinstance(value, dict | list):
        yield value
        for child in value.values() if isinstance(value, dict) else value:
            yield from containers(child)


def texts_of(value: Any) -> Iterator[str]:
    """Yield the texts of a row that may not be blank."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and value.get("role") != "tool_response":  # which may be empty
        for key, child in value.items():
            if key not in NOT_TEXTS:
                yield from texts_of(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from texts_of(child)


def screen_accepts(name: str, row: Any) -> bool:
    """Say whether the format's own type accepts a row, and no text in it is blank."""
    try:
        decoded = msgspec.json.decode(json.dumps(row), type=FORMATS[name].Row)
    except msgspec.ValidationError:
        return False
    if isinstance(decoded.id, float) and not decoded.id.is_integer():  # which make_pair refuses
        return False
    return all(find_blank(text, USER) is None for text in texts_of(msgspec.to_builtins(decoded)))


def under_our_names(name: str, row: dict[str, Any]) -> Any:
    """Return a row as its format's own type reads it."""
    return plain_turns(prepare(our_row(row, Options()), name), frozenset(), Counter(), {})


def convert(name: str, *lines: str) -> Converted:
    """Return the program's results for some lines of a format."""
    return convert_chunk(Chunk("raw.jsonl", name, "".join(f"{line}\n" for line in lines).encode(), 1), Options())


def codes_of(converted: Converted) -> dict[int, set[str]]:
    """Return the findings of each rejected row, by its number from 1."""
    return {number: {finding.code for finding in found} for number, found, _ in converted.rejected}


@pytest.mark.parametrize("name", FORMATS)
def test_a_formats_type_accepts_what_its_schema_accepts(name):
    @thoroughly(400)
    @given(changed_rows(name))
    def check(row):
        assert screen_accepts(name, row) == VALIDATORS[name].is_valid(row)

    check()


@pytest.mark.parametrize("name", FORMATS)
def test_a_row_that_its_schema_refuses_makes_no_pair(name):
    @thoroughly(150)
    @given(changed_rows(name))
    def check(row):
        assert not convert(name, json.dumps(row)).pairs or VALIDATORS[name].is_valid(under_our_names(name, row))

    check()


@pytest.mark.parametrize("name", FORMATS)
def test_what_becomes_of_a_row_does_not_depend_on_a_bad_one_beside_it(name):
    @thoroughly(150)
    @given(changed_rows(name))
    def check(row):
        alone, beside = convert(name, json.dumps(row)), convert(name, json.dumps(row), "?")
        assert alone.pairs == beside.pairs
        assert codes_of(alone) == {number: codes for number, codes in codes_of(beside).items() if number == 1}

    check()


def test_a_whole_number_with_a_point_is_an_id_as_it_is_to_the_schema():
    rows = {name: {"id": 1.0} | examples[0] for name, examples in EXAMPLES.items()}
    assert all(screen_accepts(name, row) == VALIDATORS[name].is_valid(row) for name, row in rows.items())


# Checks of texts

ENCODINGS: dict[str, Callable[[Any], str]] = {
    "ascii": json.dumps,
    "unicode": lambda value: json.dumps(value, ensure_ascii=False),
    "msgspec": lambda value: msgspec.json.encode(value).decode(),
    # As PHP writes it unless it is told not to.
    "slashes escaped": lambda value: json.dumps(value, ensure_ascii=False).replace("/", "\\/"),
}


DECIDE = {check.code: check.decide for check in (*TEXT_CHECKS, CONTROL)}


@pytest.mark.parametrize("code", DECIDE)
def test_the_faults_of_texts_are_those_that_a_plain_loop_finds(code):
    texts = st.tuples(small_texts, st.sampled_from(("", *BAD[code])), small_texts).map("".join)

    @thoroughly(250)
    @given(st.lists(st.lists(texts, min_size=2, max_size=4), max_size=3), st.sampled_from(list(ENCODINGS)))
    def check(rows, encoding):
        pairs = [Pair(messages=turn_about(*turns), rejected_response=rejected) for *turns, rejected in rows]
        raw = "\n".join(ENCODINGS[encoding](msgspec.to_builtins(pair)) for pair in pairs).encode()
        found = [fault for fault in find_text_faults(Columns(pairs), raw) if fault.code == code]
        assert sorted(found) == sorted(plain_text_faults(pairs, code))

    check()


def turn_about(*contents: str) -> list[Message]:
    """Return messages of these texts, an assistant's last."""
    roles = ("system", "user", "assistant")[-len(contents) :]
    return [Message(role, content) for role, content in zip(roles, contents, strict=True)]


def plain_text_faults(pairs: list[Pair], code: str) -> Iterator[Fault]:
    """Yield the faults of all texts, one after the other."""
    for number, pair in enumerate(pairs):
        places = [(at, message.content, ROLES[message.role]) for at, message in enumerate(pair.messages)]
        for at, text, role in [*places, (REJECTED, pair.rejected_response, ASSISTANT)]:
            if (detail := DECIDE[code](text, role)) is not None:
                yield Fault(number, code, at, detail)


# Checks of pairs

CHANGES = (str, str.lower, str.upper, str.swapcase, str.casefold, str.title, lambda text: text * 200, lambda text: "a")


def alike(chosen: str, change: Callable[[str], str], seed: int) -> str:
    """Return a text that is like another except for its case and white space."""
    chance = random.Random(seed)
    return "".join(chance.choice(["", "", "", *WHITE]) + letter for letter in change(chosen))


# A question and two answers; the second may be like the first.
rows_of_texts = st.tuples(good_texts, good_texts, st.sampled_from(CHANGES), st.integers(0, 99)).map(
    lambda drawn: (drawn[0], drawn[1], alike(*drawn[1:]))
)


@pytest.mark.parametrize("check", PAIR_CHECKS, ids=lambda check: check.code)
@thoroughly(200)
@given(rows=st.lists(rows_of_texts, max_size=3))
def test_the_faults_of_pairs_are_those_that_a_plain_loop_finds(check, rows):
    assert pair_faults([check], rows) == plain_pair_faults([check], rows)


@thoroughly(200)
@given(rows=st.lists(rows_of_texts, max_size=3), languages=st.tuples(*[st.sampled_from(LANGUAGES)] * 2))
def test_the_faults_of_translations_are_those_that_a_plain_loop_finds(rows, languages):
    checks = translation_checks(*languages)
    assert pair_faults(checks, rows) == plain_pair_faults(checks, rows)


def pair_faults(checks: Sequence[PairCheck], rows: list[tuple[str, str, str]]) -> list[tuple[int, str, str]]:
    """Return the program's findings in some questions and answers: the row, the code, the detail."""
    pairs = [Pair(messages=turn_about(*turns), rejected_response=rejected) for *turns, rejected in rows]
    return sorted((fault.pair, fault.code, fault.detail) for fault in find_pair_faults(Columns(pairs), checks))


def plain_pair_faults(checks: Sequence[PairCheck], rows: list[tuple[str, str, str]]) -> list[tuple[int, str, str]]:
    """Return the findings of a plain loop in them."""
    found = ((number, check.code, check.decide(*row)) for number, row in enumerate(rows) for check in checks)
    return sorted((number, code, detail) for number, code, detail in found if detail is not None)


# Roles


@thoroughly(300)
@given(st.lists(st.lists(st.sampled_from(list(ROLES)), min_size=1, max_size=6), max_size=6))
def test_the_faults_of_roles_are_those_that_a_plain_loop_finds(conversations):
    made = [Pair(messages=[Message(role, "x") for role in roles], rejected_response="y") for roles in conversations]
    found = {fault.pair: fault.code for fault in find_role_faults(Columns(made))}
    plain = {number: plain_role_fault(roles) for number, roles in enumerate(conversations)}
    assert found == {number: code for number, code in plain.items() if code}


# A system message, then questions and answers, with calls and results between them, by the letters of roles.
TURNS = re.compile("s?(u(a?(c+r+)+)*a)+")


def plain_role_fault(roles: list[str]) -> str | None:
    """Return the first rule that some roles break."""
    if "user" not in roles:
        return "no-user-turn"
    if roles[-1] != "assistant":
        return "no-final-answer"
    turns = "".join({"tool_call": "c", "tool_response": "r"}.get(role, role[0]) for role in roles)
    return None if TURNS.fullmatch(turns) else "wrong-roles"


# Keys that stand twice

TRICKY = ('":', '\\":', '\\\\":', '"tag":"x","tag":"y"', "\\", "a\\", '{"a":1}', "\\u0022:", "é", "x" * 5000)
PROMPT = {"role": "user", "content": "?"}
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "swift": [{"messages": [PROMPT, {"role": "assistant", "content": "a"}], "rejected_response": "b"}],
    "trl": [
        {"prompt": "?", "chosen": "a", "rejected": "b"},
        {
            "chosen": [PROMPT, {"role": "assistant", "content": "a"}],
            "rejected": [PROMPT, {"role": "assistant", "content": "b"}],
        },
    ],
    "ab": [{"prompt": "?", "a": "a", "b": "b", "winner": "b"}],
    "alpaca": [{"instruction": "?", "chosen": "a", "rejected": "b", "input": "", "history": [["c", "d"]]}],
    "hh": [{"chosen": "\n\nHuman: ?\n\nAssistant: a", "rejected": "\n\nHuman: ?\n\nAssistant: b"}],
    "scored": [{"prompt": "?", "completions": [{"text": "a", "score": 5}, {"response": "b", "rating": 1}]}],
}
EXTRAS = st.dictionaries(
    st.sampled_from(["tag", "id", 'k"', "k\\", "k:", '":', "note"]),
    st.sampled_from(["a", "b"]) | st.sampled_from(TRICKY),
    max_size=3,
)


def write_json(value: Any, twice: int, chance: random.Random) -> str:
    """Return a row as JSON, spaced and escaped at random; the key of this number stands twice."""
    counter = iter(range(1000))

    def write(value: Any) -> str:
        if isinstance(value, list):
            return "[" + space() + f"{space()},{space()}".join(map(write, value)) + "]"
        if not isinstance(value, dict):
            return json.dumps(value, ensure_ascii=chance.random() < 0.5)
        items = []
        for key, child in value.items():
            items += [(key, child)] * (2 if next(counter) == twice else 1)
        # The second may stand anywhere, and hold something else.
        chance.shuffle(items)
        written = [f"{write_key(key)}{space()}:{space()}{write(child)}" for key, child in items]
        return "{" + space() + f"{space()},{space()}".join(written) + space() + "}"

    def write_key(key: str) -> str:
        escaped = f'"\\u{ord(key[0]):04x}{json.dumps(key[1:])[1:]}'
        return escaped if chance.random() < 0.1 else json.dumps(key)

    def space() -> str:
        return chance.choice(["", "", "", " ", "  ", "\t"])

    return write(value)


def count_keys(value: Any) -> int:
    """Return how many keys the objects of a value have."""
    return sum(len(part) for part in containers(value) if isinstance(part, dict))


@pytest.mark.parametrize("name", FORMATS)
def test_a_key_that_stands_twice_is_named_however_the_row_is_written(name):
    row_with_twice = st.tuples(
        st.sampled_from(EXAMPLES[name]), EXTRAS, st.booleans(), st.integers(0, 99), st.integers()
    )

    @thoroughly(100)
    @given(st.lists(row_with_twice, min_size=1, max_size=3))
    def check(drawn):
        lines, twice = [], set()
        for number, (example, extras, is_twice, key, seed) in enumerate(drawn, start=1):
            row = example | extras
            at = key % count_keys(row) if is_twice else -1
            lines.append(write_json(row, at, random.Random(seed)))
            twice |= {number} if is_twice else set()
        codes = codes_of(convert(name, *lines))
        assert {number for number, found in codes.items() if "duplicate-key" in found} == twice

    check()


# Rows that repeat others


@st.composite
def repeating_pairs(draw: Callable[..., Any]) -> dict[str, Any]:
    """Draw one of few pairs, so that some are alike."""
    system = draw(st.sampled_from([[], [{"role": "system", "content": "p"}]]))
    earlier = draw(st.sampled_from([[], [{"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}]]))
    chosen, rejected = draw(st.permutations(["a", "b", "c"]))[:2]
    question = {"role": "user", "content": draw(st.sampled_from(["p", "q"]))}
    name = draw(st.sampled_from([{}, {}, {}, {"id": "1"}, {"id": 1}, {"id": "row-2"}]))
    answer = {"role": "assistant", "content": chosen}
    return name | {"messages": [*system, *earlier, question, answer], "rejected_response": rejected}


@pytest.mark.parametrize(("part_rows", "block_rows"), [(1 << 19, 1 << 18), (4, 3), (1, 1), (5, 64)])
@thoroughly(120)
@given(rows=st.lists(repeating_pairs(), max_size=24), chunk_rows=st.integers(1, 10))
def test_the_rows_that_repeat_others_are_those_that_a_plain_loop_finds(part_rows, block_rows, rows, chunk_rows):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "PART_ROWS", part_rows)
        patch.setattr(spill, "FEW_ROWS", part_rows)
        patch.setattr(spill, "BLOCK_ROWS", block_rows)
        patch.setattr(duplicates, "BLOCK_ROWS", block_rows)
        finder = duplicates.RepeatFinder(Path(folder))
        try:
            for start in range(0, len(rows), chunk_rows):
                lines = "".join(json.dumps(row) + "\n" for row in rows[start : start + chunk_rows])
                finder.add(convert_chunk(Chunk("raw.jsonl", "swift", lines.encode(), start + 1), Options()).keys)
            finder.compare(make_calls)
            found = [tuple(repeat) for repeat in finder.read_rejected()]
            read_pair = [msgspec.convert(row, Pair) for row in rows].__getitem__
            warned = finder.find_warned(read_pair, make_calls)["duplicate-prompt"]
        finally:
            finder.close()
    expected = sorted(plain_repeats(rows))
    assert found == expected
    repeated = plain_repeated_prompts(rows, {row for row, _, _ in expected})
    assert (warned.count, warned.rows) == (len(repeated), repeated[:3])


def make_calls(calls: Iterable[Callable[[], Any]]) -> Iterator[Any]:
    """Make calls one after the other."""
    return (call() for call in calls)


def plain_repeats(rows: list[dict[str, Any]]) -> Iterator[tuple[int, str, int]]:
    """Yield each row that is rejected, why, and the row that it repeats."""
    ids = [str(row.get("id", f"row-{number}")) for number, row in enumerate(rows, start=1)]
    # A row that is rejected for its id is not compared any further.
    pairs: list[Any] = [None] * len(rows)
    for number, row in enumerate(rows):
        if ids.index(ids[number]) < number:
            yield number, "duplicate-id", ids.index(ids[number])
        else:
            pairs[number] = row["messages"][:-1], row["messages"][-1]["content"], row["rejected_response"]
    for number, pair in enumerate(pairs):
        if pair and (turned := (pair[0], pair[2], pair[1])) in pairs:
            yield number, "contradicting-pair", pairs.index(turned)
        elif pair and pairs.index(pair) < number:
            yield number, "duplicate-pair", pairs.index(pair)


def plain_repeated_prompts(rows: list[dict[str, Any]], rejected: set[int]) -> list[int]:
    """Return the rows that are not rejected, and whose prompt an earlier row has."""
    prompts = [row["messages"][:-1] for row in rows]
    return [
        number for number, prompt in enumerate(prompts) if prompts.index(prompt) < number and number not in rejected
    ]
