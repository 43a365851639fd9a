"""What must hold of a conversion whatever the bytes: nothing escapes, and every row is a pair or is named."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jsonschema import Draft202012Validator

from pipeline.preferences.convert_files import convert_files
from pipeline.preferences.ledger import Counts
from pipeline.preferences.options import Options
from pipeline.preferences.problems import PROBLEMS, UNREADABLE
from pipeline.preferences.read_files import RawFiles
from pipeline.preferences.read_json import HEAD_BYTES, spans_lines

KINDS = (
    *(".jsonl", ".json", ".csv", ".tsv", ".parquet", ".jsonl.gz", ".jsonl.zst"),
    *(".ndjson", ".arrow", ".feather", ".tsv.gz"),
)
ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "pair.schema.json").read_text(encoding="utf-8"))
PAIR = Draft202012Validator(SCHEMA)
RAM = Path("/dev/shm")
SCRATCH = RAM if RAM.is_dir() else None  # a disk would take most of the time
MAX_UNPACKED_BYTES = 64 << 20
BOM = b"\xef\xbb\xbf"


def account(
    data: bytes, kind: str, format_name: str = "auto", options: Options | None = None, scratch: Path | None = SCRATCH
) -> Counts:
    """Convert a file of these bytes in a folder of its own, see that its account is right, and return it."""
    with TemporaryDirectory(dir=scratch) as folder:
        source, out = Path(folder) / f"raw{kind}", Path(folder) / "out"
        source.write_bytes(data)
        raw = RawFiles([source], format_name, options or Options(), MAX_UNPACKED_BYTES, lambda count: None)
        counts = convert_files(raw, out, options or Options(), stop=False, cores=1)
        names = {path.name for path in out.iterdir()}
        ends = any(counts.codes[code] for code in UNREADABLE)
        written = counts.pairs > 0 and not ends and not counts.in_other_languages
        assert names == {"rejects.jsonl", "quality.json"} | ({"pairs.jsonl", "places.jsonl"} if written else set())
        rejects = read_lines(out / "rejects.jsonl")
        check_counts(counts, rejects, json.loads((out / "quality.json").read_bytes()))
        for reject in rejects:
            check_reject(reject, source)
        places = [(reject.get("line"), reject.get("row")) for reject in rejects]
        assert len(set(places)) == len(places), "a row is named twice"
        if written:
            check_pairs(read_lines(out / "pairs.jsonl"), counts)
        if kind == ".jsonl" and format_name != "mqm" and not ends and (lines := count_lines(data)) is not None:
            assert counts.rows_in == lines, f"{lines} lines, {counts.rows_in} rows"
    return counts


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON Lines."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def count_lines(data: bytes) -> int | None:
    """Return how many lines of a .jsonl file are not blank; None where its rows are not lines: of an array, or long."""
    data = data.removeprefix(BOM)
    if data.lstrip()[:1] == b"[" or spans_lines(data[:HEAD_BYTES].lstrip()):
        return None
    return sum(not line.isspace() for line in data.split(b"\n") if line)


def check_counts(counts: Counts, rejects: list[dict[str, Any]], quality: dict[str, Any]) -> None:
    """See that the account adds up, and that quality.json says the same."""
    assert min(counts.rows_in, counts.rows_used, counts.rows_rejected, counts.pairs) >= 0
    assert counts.rows_in == counts.rows_used + counts.rows_rejected
    assert counts.rows_rejected == len(rejects)
    assert sum(file["rows_in"] for file in quality["files"]) == counts.rows_in
    for name in ("rows_in", "rows_used", "rows_rejected", "pairs"):
        assert quality[name] == getattr(counts, name)
    assert set(quality["codes"]) <= set(PROBLEMS)
    assert all(quality["codes"].values())


def check_reject(reject: dict[str, Any], source: Path) -> None:
    """See that a rejected row is named as the documentation says."""
    assert reject["file"] == source.as_posix()
    assert "line" in reject or "row" in reject
    assert all(reject[name] >= 1 for name in ("line", "row", "column") if name in reject)
    for finding in (reject, *reject.get("more", ())):
        problem = PROBLEMS[finding["code"]]
        assert problem.severity != "warning"
        assert finding["path"].startswith("$")
        assert finding["problem"] and isinstance(finding["problem"], str)
        assert finding["fix"] == problem.fix


def check_pairs(pairs: list[dict[str, Any]], counts: Counts) -> None:
    """See that pairs fit their schema, have names of their own, and prefer one of two answers."""
    assert len(pairs) == counts.pairs
    if all(file["format"] != "mqm" for file in counts.files):
        assert len(pairs) == counts.rows_used
    assert len({pair["id"] for pair in pairs}) == len(pairs)
    for pair in pairs:
        PAIR.validate(pair)
        roles = [message["role"] for message in pair["messages"]]
        turns = roles[roles[0] == "system" :]
        assert turns == ["user", "assistant"] * (len(turns) // 2) and turns
        assert pair["messages"][-1]["content"] != pair["rejected_response"]
