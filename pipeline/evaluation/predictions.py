"""Read predictions.jsonl, and say which text of an answer counts."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec


class Prediction(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A row of predictions.jsonl (schemas/prediction.schema.json)."""

    id: str
    messages: list[dict[str, str]]
    analysis: str | None
    final: str
    finish: Literal["stop", "length", "no_final"]
    analysis_tokens: int
    final_tokens: int
    tag: str | None = None
    answer: int | None = None
    tools: list[dict[str, Any]] | None = None
    chat_template_kwargs: dict[str, Any] | None = None

    @property
    def counted(self) -> str:
        """The text that is scored and judged: the final, or nothing where the answer was cut or has no final."""
        return self.final if self.finish == "stop" else ""

    @property
    def name(self) -> dict[str, Any]:
        """The keys that name the answer: id, its number where a prompt has several, and tag."""
        return {key: value for key in ("id", "answer", "tag") if (value := getattr(self, key)) is not None}

    @property
    def prompt(self) -> bytes:
        """All that the prompt is made of."""
        return msgspec.json.encode([self.messages, self.tools, self.chat_template_kwargs])


class HeldOut(Prediction, kw_only=True):
    """A row whose prompt is of a held-out pair."""

    chosen: str
    rejected: str
    chosen_analysis: str | None = None
    rejected_analysis: str | None = None


class OldPrediction(msgspec.Struct):
    """A row of an older release."""

    response: str


Row = TypeVar("Row", bound=Prediction)


def read_predictions(path: Path, kind: type[Row]) -> Iterator[Row]:
    """Yield the rows of a predictions.jsonl; stop with one line at a row that is not a prediction."""
    if not path.is_file():
        sys.exit(f"{path}: no such file of predictions")
    decode = msgspec.json.Decoder(kind).decode
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield decode(line)
            except msgspec.MsgspecError as error:
                sys.exit(f"{path}, line {number}: {explain(line, error)}")


def explain(line: bytes, error: msgspec.MsgspecError) -> str:
    """Return why a line is not a prediction, and what to do."""
    try:
        msgspec.json.decode(line, type=OldPrediction)
    except msgspec.MsgspecError:
        return f"not a prediction ({error}); see schemas/prediction.schema.json"
    return "a prediction of an older release, which does not say how the answer ended; run the inference again"
