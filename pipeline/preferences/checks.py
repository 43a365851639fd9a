"""Checks of pairs that a schema cannot make: each has a fast screen over columns, and a plain function that decides.

A screen may flag too much, never too little. `decide` then looks at each flagged pair, and says what is wrong.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.preferences.columns import ASSISTANT, BEFORE_CALL, REJECTED, RESPONSE, ROLES, USER, Columns, as_utf8
from pipeline.preferences.marks import MARKS_OF, SIGNS, find_mark
from pipeline.preferences.problems import PROBLEMS

MAX_LENGTH_RATIO = 5
MIN_LENGTH_DIFFERENCE = 100  # characters


class Fault(NamedTuple):
    """What is wrong with a pair: the code, the message (its position, REJECTED, or None for the whole), the detail."""

    pair: int
    code: str
    where: int | None = None
    detail: str = ""


# Roles


START = len(ROLES)  # stands before the first message of a pair
FOLLOWS = np.zeros((START + 1, len(ROLES)), bool)  # whether a role may come after another
for before, after in (
    *(("start", "system"), ("start", "user"), ("system", "user")),
    *(("user", "assistant"), ("user", "tool_call"), ("assistant", "user"), ("assistant", "tool_call")),
    *(("tool_call", "tool_call"), ("tool_call", "tool_response")),
    *(("tool_response", "tool_response"), ("tool_response", "tool_call"), ("tool_response", "assistant")),
):
    FOLLOWS[ROLES.get(before, START), ROLES[after]] = True


def find_role_faults(columns: Columns) -> Iterator[Fault]:
    """Yield the pairs whose roles are out of order, by the first rule that they break."""
    if not len(columns.lengths):
        return
    before = np.roll(columns.roles, 1)
    before[columns.starts] = START
    no_user = ~np.logical_or.reduceat(columns.roles == USER, columns.starts)
    unfinished = columns.roles[columns.ends - 1] != ASSISTANT
    disordered = np.logical_or.reduceat(~FOLLOWS[before, columns.roles], columns.starts)
    for pair in np.flatnonzero(no_user | unfinished | disordered).tolist():
        code = "no-user-turn" if no_user[pair] else "no-final-answer" if unfinished[pair] else "wrong-roles"
        yield Fault(pair, code)


# Texts, each on its own

ANALYSIS = "<|channel|>analysis<|message|>"
CONTROL_TOKEN = re.compile(r"<[|｜][^<>|｜\s]{1,40}[|｜]>")
THINKING = re.compile(
    r"<\|channel\|>analysis<\|message\|>(?:(?!<\|).)*"
    r"(?:<\|end\|><\|start\|>assistant<\|channel\|>final<\|message\|>|(?:<\|(?:end|return)\|>)?\s*\Z)",
    re.DOTALL,
)
# Analysis and preamble of an assistant that calls a tool next.
THINKING_BEFORE_CALL = re.compile(
    r"(?:<\|channel\|>(?:analysis|commentary)<\|message\|>(?:(?!<\|).)*(?:<\|end\|><\|start\|>assistant(?=<)|\Z))+",
    re.DOTALL,
)
CHANNELS = {ASSISTANT: THINKING, BEFORE_CALL: THINKING_BEFORE_CALL}
THINK_TAG = re.compile(r"</?think(?:ing)?(?::[a-z]+)?>", re.IGNORECASE | re.ASCII)
EMPTY_THINK = re.compile(r"<(think(?:ing)?)>\s*</\1>", re.IGNORECASE | re.ASCII)
EMPTY_ANALYSIS = re.compile(r"<\|channel\|>analysis<\|message\|>\s*(?:<\||\Z)")
BLANK = "empty, or white space alone"
CONTROL_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")


def find_blank(text: str, role: int) -> str | None:
    """Find text of white space alone; a tool may return nothing."""
    return None if text.strip() or role == RESPONSE else BLANK


def find_control_token(text: str, role: int) -> str | None:
    """Find a chat template's own token. Only an assistant's text may begin with harmony's analysis channel."""
    thinking = CHANNELS[role].match(text) if role in CHANNELS else None
    found = CONTROL_TOKEN.search(text, thinking.end() if thinking else 0)
    return f"the token {found[0]} inside a message" if found else find_mark("control-token", text, role)


def find_no_final(text: str, role: int) -> str | None:
    """Find an answer that ends in its analysis, or whose final text is blank."""
    thinking = THINKING.match(text) if role == ASSISTANT else None
    return "an analysis, and no final answer" if thinking and not text[thinking.end() :].strip() else None


def final_of(text: str) -> str:
    """Return an answer without the thinking before it."""
    thinking = THINKING.match(text)
    return text[thinking.end() :] if thinking else text


def find_think_text(text: str, role: int) -> str | None:
    """Find a think tag around something."""
    found = THINK_TAG.search(EMPTY_THINK.sub("", text))
    return f"{found[0]} inside a message" if found else find_mark("think-text", text, role)


def find_empty_think(text: str, role: int) -> str | None:
    """Find thinking with nothing in it: a model that learns it thinks less."""
    if EMPTY_ANALYSIS.search(text):
        return "an empty analysis channel"
    return "an empty think block" if EMPTY_THINK.search(text) else None


def find_control_character(text: str, role: int) -> str | None:
    """Find a control character."""
    found = CONTROL_CHARACTER.search(text)
    return f"U+{ord(found[0]):04X} at character {found.start() + 1}" if found else None


@dataclass(frozen=True)
class TextCheck:
    """A check of one text, by its role, where its screen flags it. Of these, only those that match `signs` count."""

    code: str
    screen: str
    decide: Callable[[str, int], str | None]
    signs: str | None = None


def any_of(*signs: str) -> str:
    """Return the pattern of texts that hold one of these."""
    return "|".join(map(re.escape, signs))


def mark_check(code: str, decide: Callable[[str, int], str | None], signs: str = "") -> TextCheck:
    """Return the check of the marks with a code; `signs` is a pattern of what else `decide` may find."""
    of_marks = any_of(*(sign for mark in MARKS_OF[code] for sign in mark.signs))
    return TextCheck(code, "marks", decide, f"{signs}|{of_marks}" if signs else of_marks)


OWN_MARKS = ("control-token", "think-text")  # with more to find than marks
TOKEN_SIGNS, THINK_SIGNS = "<[|｜]", "(?i:</?think)"
SCREENS = {
    # str.strip() counts four separators as white space that Unicode does not.
    "blank": ~pl.col("text").str.contains(r"[^\s\x1c-\x1f]"),
    # Three searches, because one for texts that begin with one of two bytes is fast, and so is each of the others.
    "marks": pl.any_horizontal(
        pl.col("text").str.contains(any_of("<|", "<｜", *(sign for sign in SIGNS if sign[0] in "<["))),
        pl.col("text").str.contains(any_of(*(sign for sign in SIGNS if sign[0] not in "<["))),
        pl.col("text").str.contains(THINK_SIGNS),
    ),
    # Most control characters are escaped in JSON, or begin with one rare byte, so that most raw text holds none.
    "control": pl.col("text").str.contains(CONTROL_CHARACTER.pattern),
    "rare": pl.col("text").str.contains("[\x7f\ufffd]"),
}
TEXT_CHECKS = (
    TextCheck("blank-text", "blank", find_blank),
    mark_check("control-token", find_control_token, TOKEN_SIGNS),
    TextCheck("no-final", "marks", find_no_final, re.escape(ANALYSIS)),
    TextCheck("empty-think", "marks", find_empty_think, f"{THINK_SIGNS}|{re.escape(ANALYSIS)}"),
    mark_check("think-text", find_think_text, THINK_SIGNS),
    *(mark_check(code, partial(find_mark, code)) for code in MARKS_OF if code not in OWN_MARKS),
)
CONTROL, RARE = (TextCheck("control-character", screen, find_control_character) for screen in ("control", "rare"))
ESCAPED = np.frombuffer(b"ubf", np.uint8)  # after a backslash
FIRST_OF_C1 = b"\xc2"  # begins U+0080 to U+009F in UTF-8, with a byte below 0xa0 after it, and some signs


def find_text_faults(columns: Columns, raw: bytes) -> Iterator[Fault]:
    """Yield the faults of single texts; `raw` is the JSON that the pairs were read from."""
    checks = [*TEXT_CHECKS, CONTROL if may_hold_controls(raw) else RARE]
    screens = dict.fromkeys(check.screen for check in checks)
    flags = columns.texts.to_frame().select(SCREENS[screen].alias(screen) for screen in screens)
    for check in checks:
        if not (flag := flags[check.screen]).any():
            continue
        flagged, texts = flag.arg_true(), columns.texts.filter(flag)
        if check.signs:
            matching = texts.str.contains(check.signs)
            flagged, texts = flagged.filter(matching), texts.filter(matching)
        roles = columns.speakers[flagged.to_numpy()].tolist()
        for number, text, role in zip(flagged.to_list(), texts.to_list(), roles, strict=True):
            if (detail := check.decide(text, role)) is not None:
                pair, where = columns.place_of(number)
                yield Fault(pair, check.code, where, detail)


def explain_text(text: str, role: int) -> str | None:
    """Say in one line what is wrong with one text of a role, and what to do; None if nothing is."""
    for check in (*TEXT_CHECKS, CONTROL):
        if (detail := check.decide(text, role)) is not None:
            return f"{detail}; {PROBLEMS[check.code].fix} ({check.code})"
    return None


def may_hold_controls(raw: bytes) -> bool:
    """Say whether some JSON may hold a control character, other than the few that RARE finds."""
    array = np.frombuffer(raw, np.uint8)
    if b"\\" in raw and np.isin(bytes_after(array, ord("\\")), ESCAPED).any():
        return True
    return FIRST_OF_C1 in raw and bool((bytes_after(array, FIRST_OF_C1[0]) < 0xA0).any())


def bytes_after(array: NDArray[np.uint8], byte: int) -> NDArray[np.uint8]:
    """Return the byte after each occurrence of a value, except at the end."""
    return array[np.flatnonzero(array[:-1] == byte) + 1]


# The texts of a pair together


@dataclass(frozen=True)
class PairCheck:
    """A check of question, chosen and rejected together; the fault lies in the column `at`.

    A screen may also use `same_letters`: false only where the answers differ in more than white space and case.
    """

    code: str
    screen: pl.Expr
    decide: Callable[[str, str, str], str | None]
    at: Literal["question", "chosen", "rejected"]


def find_same(question: str, chosen: str, rejected: str) -> str | None:
    """Find equal answers."""
    return "the same as the chosen answer, so there is nothing to prefer" if chosen == rejected else None


def find_nearly_same(question: str, chosen: str, rejected: str) -> str | None:
    """Find answers that differ in white space or case alone."""
    same = chosen != rejected and squeeze(chosen) == squeeze(rejected)
    return "differs from the chosen answer only in white space or case" if same else None


def squeeze(text: str) -> str:
    """Return a text in lower case, without white space."""
    return "".join(text.split()).lower()


def find_length_ratio(question: str, chosen: str, rejected: str) -> str | None:
    """Find answers of very different lengths."""
    short, long = sorted((len(chosen), len(rejected)))
    far = long > MAX_LENGTH_RATIO * short and long - short > MIN_LENGTH_DIFFERENCE
    return f"{len(chosen)} characters chosen, {len(rejected)} rejected" if far else None


CHOSEN, REJECTED_TEXT = pl.col("chosen"), pl.col("rejected")
PAIR_CHECKS = (
    PairCheck("same-answers", CHOSEN == REJECTED_TEXT, find_same, "rejected"),
    PairCheck("nearly-same-answers", pl.col("same_letters"), find_nearly_same, "rejected"),
    PairCheck(
        "length-ratio",
        (CHOSEN.str.len_chars().cast(pl.Int64) - REJECTED_TEXT.str.len_chars()).abs() > MIN_LENGTH_DIFFERENCE,
        find_length_ratio,
        "rejected",
    ),
)


# What each byte adds to the sum of a text's letters: nothing for white space and beyond ASCII, the same for both cases.
# Nothing for i and k either, which other letters turn into when they change their case.
LETTER_SUMS = bytes(
    0 if not 32 < byte < 127 or chr(byte) in "iIkK" else 37 * ord(chr(byte).lower()) % 256 for byte in range(256)
)


def compare_letters(answers: pl.DataFrame) -> pl.Series:
    """Say of each pair whether the letters of its two answers have the same sum."""
    chosen, rejected = (sum_letters(answers[name]) for name in ("chosen", "rejected"))
    return pl.Series(chosen == rejected)


def sum_letters(texts: pl.Series) -> NDArray[np.uint8]:
    """Return the sum of each text's letters, modulo 256."""
    data, offsets = as_utf8(texts)
    letters = np.frombuffer(data.tobytes().translate(LETTER_SUMS), np.uint8)
    # The end of an empty text is the beginning of the next, where reduceat would take one byte too many.
    full = np.diff(offsets) > 0
    sums = np.zeros(len(full), np.uint8)
    if full.any():
        sums[full] = np.add.reduceat(letters, offsets[:-1][full], dtype=np.uint8)
    return sums


def find_pair_faults(columns: Columns, checks: Sequence[PairCheck]) -> Iterator[Fault]:
    """Yield the faults that lie between the texts of a pair."""
    answers = columns.answers
    flags = answers.with_columns(same_letters=compare_letters(answers)).select(
        check.screen.alias(str(number)) for number, check in enumerate(checks)
    )
    for check, flag in zip(checks, flags, strict=True):
        flagged = flag.arg_true()
        texts = [answers[name].gather(flagged).to_list() for name in answers.columns]
        for pair, *row in zip(flagged.to_list(), *texts, strict=True):
            if (detail := check.decide(*row)) is not None:
                last, asked = int(columns.lengths[pair]) - 1, int(columns.questions[pair] - columns.starts[pair])
                where = {"question": asked, "chosen": last, "rejected": REJECTED}[check.at]
                yield Fault(pair, check.code, where, detail)
