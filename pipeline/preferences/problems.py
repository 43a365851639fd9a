"""Every fault that a row can have: its stable code, how bad it is, what it means and how to fix it.

docs/problems.md is generated from this list.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["error", "unused", "warning"]


@dataclass(frozen=True)
class Problem:
    """A kind of fault, by severity.

    error: the row is rejected, and stops the run where `data.on_problem` is stop. unused: the row is named in
    rejects.jsonl, but nothing is wrong with it. warning: the row goes on, and is counted.
    """

    code: str
    severity: Severity
    meaning: str
    fix: str


PROBLEMS = {
    problem.code: problem
    for problem in (
        # The text of the file.
        Problem("not-utf8", "error", "The bytes are not UTF-8.", "save the file as UTF-8"),
        Problem("not-json", "error", "The line is not JSON.", "write one JSON object on each line, or one JSON array"),
        Problem(
            "broken-file",
            "error",
            "Nothing after this place can be read: an array that is not JSON, a damaged archive or table. "
            "Stops even with `on_problem: drop`, because nobody can tell how many rows are missing.",
            "fix or replace the file",
        ),
        Problem("duplicate-key", "error", "An object has the same key twice; readers keep either.", "keep one of them"),
        Problem("not-finite", "error", "NaN or Infinity, which JSON does not have.", "write a number, or null"),
        Problem(
            "lone-surrogate",
            "error",
            "Half of a surrogate pair (`\\ud800` to `\\udfff`), which no UTF-8 file can hold.",
            "write the character itself",
        ),
        Problem("too-deep", "error", "Nested too deeply to be read.", "flatten the row, or remove it"),
        Problem("too-large", "error", "A row of more than 16 MiB.", "split the row, or remove it"),
        # The structure of the row.
        Problem(
            "wrong-structure",
            "error",
            "Not what the schema of the format asks for (schemas/pair.schema.json).",
            "write the key as docs/data.md shows it",
        ),
        Problem(
            "unknown-format",
            "error",
            "No format is known that has these keys.",
            "write the rows in one of the formats of docs/data.md, or set data.format",
        ),
        Problem(
            "wrong-roles",
            "error",
            "After an optional system message, user and assistant must take turns.",
            "put the turns in order, or join two of one speaker",
        ),
        Problem("no-user-turn", "error", "There is no prompt: nobody asks.", "add the user message"),
        Problem("no-final-answer", "error", "The last turn is not an assistant's.", "end it with the answer"),
        Problem(
            "prompts-differ",
            "error",
            "Chosen and rejected do not answer the same prompt.",
            "give both the same turns before the last answer",
        ),
        Problem("blank-text", "error", "Empty, or white space alone.", "write the text, or remove the row"),
        Problem("same-answers", "error", "Chosen and rejected are equal: nothing to prefer.", "remove the row"),
        Problem(
            "nearly-same-answers",
            "error",
            "Chosen and rejected differ only in white space or case.",
            "remove the row; formatting alone is better taught by SFT",
        ),
        Problem(
            "small-margin",
            "unused",
            "The scores of two answers lie closer together than `data.min_margin`.",
            "remove the row, or lower data.min_margin",
        ),
        Problem(
            "not-paired",
            "unused",
            "No other translation of the segment is left to compare with.",
            "annotate another translation, or remove the row",
        ),
        # The text of the messages.
        Problem(
            "control-token",
            "error",
            "A chat template's own token (`<|end|>`, `<|im_start|>`) inside a message.",
            "remove the token; only an answer may hold harmony's channels: "
            "<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…",
        ),
        Problem(
            "think-text",
            "error",
            "`<think>` inside a message: to gpt-oss it is ordinary text of the answer.",
            "move the thinking to harmony's analysis channel, or remove it",
        ),
        Problem("empty-think", "error", "An empty `<think>` block inside a message.", "remove the block"),
        Problem(
            "control-character",
            "error",
            "A control character other than tab, newline and return, or U+FFFD, which a wrong decoding leaves.",
            "remove it, or decode the source again",
        ),
        # The row as tokens, in the stage check_tokens: it needs the model's tokenizer.
        Problem(
            "too-many-tokens",
            "error",
            "The prompt with one of its answers has more tokens than `dpo.max_length`, and `dpo.truncation_strategy` "
            "deletes such rows.",
            "shorten the row, or raise dpo.max_length",
        ),
        Problem(
            "truncated",
            "warning",
            "The prompt with one of its answers has more tokens than `dpo.max_length`; the trainer cuts it.",
            "shorten the row, or raise dpo.max_length",
        ),
        Problem(
            "no-supervised-token",
            "error",
            "No token of an answer is trained: truncation leaves nothing of it, or `dpo.loss_scale` leaves it out.",
            "shorten the row, or change dpo.max_length, dpo.truncation_strategy or dpo.loss_scale",
        ),
        Problem(
            "other-prompt",
            "error",
            "The tokens that inference sends for the prompt are not the first tokens that training sees of prompt and "
            "answer: another prompt would be trained than is asked.",
            "use gpt-oss's own tokenizer, to which harmony's tokens (`<|channel|>`) are one token each",
        ),
        # The row compared with the others.
        Problem("duplicate-id", "error", "An id that an earlier row has.", "give each row its own id"),
        Problem("duplicate-pair", "error", "Prompt and both answers are those of an earlier row.", "remove the row"),
        Problem(
            "contradicting-pair",
            "error",
            "Another row prefers the other one of the same two answers. Both rows are rejected.",
            "decide which answer wins, and remove the other row",
        ),
        Problem(
            "duplicate-prompt",
            "warning",
            "The prompt of an earlier row, with other answers. The split keeps them on one side.",
            "nothing, if several pairs a prompt are meant",
        ),
        Problem(
            "near-duplicate-prompt",
            "warning",
            "A prompt much like an earlier one (about 0.8 of their 8-byte pieces, as estimated from samples).",
            "keep one of them: they can fall on both sides of the split",
        ),
        Problem(
            "near-duplicate-pair",
            "warning",
            "A prompt like or equal to an earlier one, with much the same answers.",
            "keep one of them",
        ),
        Problem(
            "length-ratio",
            "warning",
            "One answer is more than 5 times as long as the other, and more than 100 characters longer.",
            "see that length is not all that is preferred",
        ),
        Problem(
            "length-bias",
            "warning",
            "Over the whole set, the chosen answer is the longer one (or the shorter one) in more than 70 % of 100 "
            "pairs or more: the model will learn length.",
            "balance the set, or use a length-normalised loss",
        ),
        Problem(
            "wrong-language",
            "warning",
            "Source or chosen answer is not in the script of its language in `data.languages`.",
            "check the direction of the translation, or set data.languages",
        ),
        Problem(
            "lost-placeholder",
            "warning",
            "A placeholder of the source (`%s`, `{name}`, `$1`) is missing from the chosen answer.",
            "put it back",
        ),
        Problem("lost-number", "warning", "A number of the source is missing from the chosen answer.", "put it back"),
        Problem("lost-tag", "warning", "A tag of the source (`<b>`) is missing from the chosen answer.", "put it back"),
        Problem("lost-url", "warning", "A URL of the source is missing from the chosen answer.", "put it back"),
    )
}


class Finding(NamedTuple):
    """One fault of one row: its code, where in the row, and what is wrong there."""

    code: str
    path: str = "$"
    detail: str = ""
    column: int | None = None


class Rejected(Exception):
    """A row that does not go on, and the faults why."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__(*findings)
        self.findings = findings
