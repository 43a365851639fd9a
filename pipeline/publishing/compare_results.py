"""Compare two versions of a result: by bytes, or by how much figures, weights and answers differ.

Floating point differs between processors, and training from random weights carries that on without bound. So results
computed from weights are compared within the tolerances below; everything else must be the same, byte for byte.
docs/reproducing.md says which is which, and what was seen.
"""

import csv
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.files.json_lines import read_json_lines
from pipeline.publishing.compare_derived import compare_manifests, compare_plots, same_bytes
from pipeline.publishing.difference import SAME_VALUES, Difference

# The most that a figure may differ by: absolutely below 1, relatively above. Others are shown only.
ALLOWED = {"loss": 0.1, "accurac": 0.1, "margin": 0.4, "logp": 0.7, "step": 0.0, "learning_rate": 0.0}
ALLOWED_IN_A_STEP = ALLOWED | {"loss": 0.4, "accurac": 0.25, "logp": 2.5}  # of few pairs, or before the last step

# Results that record when, where and with which versions the run was made: they differ each time.
DESCRIBES_THE_RUN = ("report.html", "ro-crate-metadata.json", "workflow")
NUMBER = re.compile(r"\b[0-9a-f]{64}\b|[-+]?\b\d+(?:\.\d+)?(?:e[-+]?\d+)?\b")

# Figures of a few pairs, and ends of intervals, jump from pair to pair: they are shown only.
JUMPS = re.compile(r"\bby_\w+ | (low|high)$")
# A figure whose draws are all alike has no interval: null, and nothing in the tables and the head of a model card.
INTERVAL_END = re.compile(r" (low|high)$")
INTERVAL = re.compile(r" \[[-+\d.e]+, [-+\d.e]+\]|^ +(?:low|high): [-+\d.e]+\n", re.MULTILINE)
ANSWERS = ("response", "analysis", "final", "finish", "analysis_tokens", "final_tokens", "answers", "scores", "change")

Leaf = tuple[str, Any]


def compare_steps(one: Path, two: Path) -> Difference:
    """Return as `compare_figures` does, for figures of a training's single steps, on the way."""
    return compare_figures(one, two, ALLOWED_IN_A_STEP)


def compare_figures(one: Path, two: Path, tolerances: Mapping[str, float] = ALLOWED) -> Difference:
    """Return the difference of two numbers that comes closest to what is allowed, or exceeds it the most."""
    first, second = read_leaves(one), read_leaves(two)
    if [name for name, _ in first] != [name for name, _ in second]:
        return Difference(math.inf, 0.0, "has other rows or names")
    if repr(first) == repr(second):
        return SAME_VALUES
    differences = [compare_leaf(name, a, b, tolerances) for (name, a), (_, b) in zip(first, second, strict=True)]
    return max(differences, key=excess)


def excess(found: Difference) -> tuple[float, float]:
    """Return a difference as a multiple of what is allowed, 0 where it is shown only, and its amount."""
    multiple = 0.0 if math.isinf(found.allowed) else found.amount / (found.allowed or 1e-9)
    return multiple, found.amount


def compare_scores(one: Path, two: Path) -> Difference:
    """Return the largest difference of figures of single rows, which may be any; their means are in metrics.json."""
    found = compare_figures(one, two)
    return found if math.isinf(found.amount) else found._replace(allowed=math.inf)


def compare_leaf(name: str, one: Any, two: Any, tolerances: Mapping[str, float]) -> Difference:
    """Return the difference of two values of the same name; only numbers may differ."""
    if INTERVAL_END.search(name) and (one is None) != (two is None) and distance(one or two, 0) < math.inf:
        return Difference(0.0, math.inf, f"has no interval in one of them, in {name}")
    amount = distance(one, two)
    allowed = next((most for part, most in tolerances.items() if part in name), math.inf)
    if math.isinf(amount):
        return Difference(amount, 0.0, f"has another value in {name}")
    if JUMPS.search(name):
        allowed = math.inf
    return Difference(amount, allowed, f"differs by {amount:.2g} in {name}")


def read_leaves(path: Path) -> list[Leaf]:
    """Return every value of a JSON, JSON Lines or CSV file, with its path."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as table:
            return list(leaves([{name: number(text) for name, text in row.items()} for row in csv.DictReader(table)]))
    if path.suffix == ".jsonl":
        return list(leaves(read_json_lines(path)))
    return list(leaves(json.loads(path.read_text(encoding="utf-8"))))


def leaves(value: Any, name: str = "") -> Iterator[Leaf]:
    """Yield every value that is neither a list nor a mapping."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value, 1)
        for key, part in items:
            yield from leaves(part, f"{name} {key}".strip())
    else:
        yield name, value


def number(text: str) -> float | str:
    """Return a table's text as a number; if it is not a number, unchanged."""
    try:
        return float(text)
    except ValueError:
        return text


def distance(one: Any, two: Any) -> float:
    """Return the difference of two numbers, relative where they are above 1; infinity where other values differ."""
    if isinstance(one, float | int) and isinstance(two, float | int) and math.isfinite(one + two):
        return abs(one - two) / max(1.0, abs(one))
    return 0.0 if repr(one) == repr(two) else math.inf


def compare_weights(one: Path, two: Path) -> Difference:
    """Return the largest difference of two tensors, relative to the size of the first one's values."""
    first, second = read_tensors(one), read_tensors(two)
    if {name: tensor.shape for name, tensor in first.items()} != {n: tensor.shape for n, tensor in second.items()}:
        return Difference(math.inf, 0.0, "has other tensors")
    amounts = {name: norm(second[name] - tensor) / (norm(tensor) or 1) for name, tensor in first.items()}
    if unknown := [name for name, amount in amounts.items() if not math.isfinite(amount)]:
        return Difference(math.inf, 0.0, f"has a value that is not a number in {unknown[0]}")
    name = max(amounts, key=amounts.__getitem__, default="")
    if not amounts.get(name):
        return SAME_VALUES
    return Difference(amounts[name], math.inf, f"differs by {amounts[name]:.2g} of its norm in {name}")


def norm(tensor: NDArray[np.float32]) -> float:
    """Return the Euclidean norm of all values."""
    return float(np.sqrt(np.square(tensor, dtype=np.float64).sum()))


def read_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of a safetensors file, which the workflow environment has no library for."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    return {name: read_tensor(data[start:], **entry) for name, entry in header.items()}


def read_tensor(data: bytes, dtype: str, shape: list[int], data_offsets: list[int]) -> NDArray[np.float32]:
    """Return one tensor as float32; packed weights (U8) by their bytes."""
    part = data[slice(*data_offsets)]
    if dtype == "BF16":  # the upper half of a float32
        values = (np.frombuffer(part, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        values = np.frombuffer(part, {"F32": "<f4", "F16": "<f2", "U8": "u1"}[dtype]).astype(np.float32)
    return values.reshape(shape)


def compare_answers(one: Path, two: Path) -> Difference:
    """Return the share of the answers that differ; what was asked must be equal."""
    first, second = read_json_lines(one), read_json_lines(two)
    if list(map(question, first)) != list(map(question, second)):
        return Difference(math.inf, 0.0, "answers other prompts")
    differing = sum(answer(a) != answer(b) for a, b in zip(first, second, strict=True))
    if not differing:
        return SAME_VALUES
    return Difference(differing / len(first), math.inf, f"{differing} of {len(first)} answers differ")


def question(row: dict[str, Any]) -> Any:
    """Return a row without its answer, or answers, and their scores."""
    turns = row["messages"][:-1] if row["messages"][-1]["role"] == "assistant" else row["messages"]
    return turns, {name: value for name, value in row.items() if name not in ("messages", *ANSWERS)}


def answer(row: dict[str, Any]) -> Any:
    """Return the answer of a row, or its answers and their scores."""
    return [row.get(name) for name in ANSWERS]


def compare_text(one: Path, two: Path) -> Difference:
    """Return the share of the numbers and hashes that differ; the words around them must be equal."""
    first, second = (INTERVAL.sub("", path.read_text(encoding="utf-8")) for path in (one, two))
    if NUMBER.sub("#", first) != NUMBER.sub("#", second):
        return Difference(math.inf, 0.0, "has other words")
    pairs = list(zip(NUMBER.findall(first), NUMBER.findall(second), strict=True))
    differing = sum(a != b for a, b in pairs)
    return Difference(differing / len(pairs), math.inf, f"{differing} of {len(pairs)} numbers differ")


def compare_gates(one: Path, two: Path) -> Difference:
    """Return whether the same gates passed; what they measured is shown only."""
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in (one, two))
    if [(row["gate"], row["passed"]) for row in first] != [(row["gate"], row["passed"]) for row in second]:
        return Difference(math.inf, 0.0, "has other gates, or another outcome")
    differing = sum(a != b for a, b in zip(first, second, strict=True))
    if not differing:
        return SAME_VALUES
    return Difference(differing / len(first), math.inf, f"{differing} of {len(first)} gates measured other values")


COMPARISONS: list[tuple[str, Callable[[Path, Path], Difference]]] = [
    ("*/curves.jsonl", compare_steps),
    ("*/training.csv", compare_steps),
    ("*/held_out.csv", compare_steps),
    ("*/metrics.json", compare_figures),
    ("*gates.json", compare_gates),
    ("*/*.safetensors", compare_weights),
    ("infer/*.jsonl", compare_answers),
    ("evaluate/*/scores/*.jsonl", compare_scores),
    ("evaluate/pairs.jsonl", compare_scores),
    ("evaluate/*neutral.jsonl", compare_scores),
    ("evaluate/*.jsonl", compare_answers),
    ("evaluate/*.json", compare_figures),
    ("model_card.md", compare_text),
    ("plots/*", compare_plots),
    ("*.sha256", compare_manifests),
    ("*", lambda one, two: Difference(math.inf, 0.0, "differs, and must be the same byte for byte")),
]


def describes_the_run(path: str) -> bool:
    """Say whether a result only describes the run. `path` is results/<run>/…"""
    return Path(path).parts[2:3] in {(name,) for name in DESCRIBES_THE_RUN}


def compare_results(one: Path, two: Path, name: str) -> Difference | None:
    """Return by how much two versions of a result differ; None if not at all. `name` is its path within its run."""
    if same_bytes(one, two):
        return None
    return next(compare for pattern, compare in COMPARISONS if fnmatch(name, pattern))(one, two)
