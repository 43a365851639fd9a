"""Small files of every kind, in every format, to be broken by the tests."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

PROMPT = {"role": "user", "content": "保存 %s 3"}
CHOSEN, REJECTED = ([PROMPT, {"role": "assistant", "content": text}] for text in ("Save %s 3", "No"))
ROWS: dict[str, dict[str, Any]] = {
    "swift": {"id": "a", "tag": "tone", "messages": CHOSEN, "rejected_response": "Please save"},
    "swift-messages": {"id": None, "messages": CHOSEN, "rejected_messages": REJECTED},
    "trl": {"prompt": "Save", "chosen": "Yes", "rejected": "No", "id": 3},
    "trl-messages": {"chosen": CHOSEN, "rejected": REJECTED},
    "trl-turns": {
        "conversations": [{"from": "human", "value": "Hi"}],
        "chosen": {"from": "gpt", "value": "Hello"},
        "rejected": {"from": "assistant", "value": "Go"},
        "system": "",
    },
    "alpaca": {"instruction": "Add", "input": "1 2", "chosen": "3", "rejected": "4", "history": [["a", "b"]]},
    "hh": {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello", "rejected": "\n\nHuman: Hi\n\nAssistant: Go"},
    "ab": {"context": [PROMPT], "response1": "Save %s 3", "response2": "No", "overall_preference": -2},
    "scored": {"instruction": "Hi", "completions": [{"response": "a", "score": 5}, {"text": "b", "score": 1e0}]},
}
MQM = (
    b"system\tdoc\tseg_id\trater\tsource\ttarget\tcategory\tseverity\n"
    b"A\td\t1\tr\ts\t<v>one</v>\tAccuracy/Addition\tMajor\n"
    b"B\td\t1\tr\ts\ttwo\tno-error\tno-error\n"
)
NEWER_MQM = MQM.replace(b"seg_id", b"docSegId\tglobalSegId").replace(b"\t1\t", b"\t1\t7\t")
LETTERS = b'# by hand\n#prompt\tchosen\trejected\ttag\nSay "no"\t"No!"\tNo\tx\nHi\tYes\t"""No"" way"\n'


def seed_files() -> Iterator[tuple[str, bytes]]:
    """Yield the kind and the bytes of each file."""
    for row in ROWS.values():
        line = json.dumps(row, ensure_ascii=False).encode()
        lines = line + b"\n" + line + b"\n?\n"
        yield ".jsonl", lines
        yield ".json", b"[" + line + b",\n" + line + b"]"
        yield ".csv", write_table(row, ",")
        yield ".tsv", write_table(row, "\t")
        yield ".parquet", write_parquet(row)
        yield ".arrow", write_arrow([row], as_file=True)
        yield ".feather", write_arrow([row], as_file=False)
        yield ".ndjson", json.dumps(row, ensure_ascii=False, indent=1).encode() * 2
        yield ".jsonl.gz", gzip.compress(lines, mtime=0)
        yield ".jsonl.zst", zstandard.compress(lines)
    yield ".tsv", MQM
    yield ".tsv", NEWER_MQM
    yield ".tsv", LETTERS


def write_table(row: dict[str, Any], delimiter: str) -> bytes:
    """Return a table with one row."""
    text = io.StringIO()
    cells = [value if isinstance(value, str) else json.dumps(value) for value in row.values()]
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([list(row), cells])
    return text.getvalue().encode()


def write_parquet(row: dict[str, Any]) -> bytes:
    """Return a Parquet file with one row."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([row]), buffer, compression="none", write_statistics=False)
    return buffer.getvalue()


def write_arrow(rows: list[dict[str, Any]], as_file: bool, batch_rows: int | None = None) -> bytes:
    """Return Arrow's file format, or its stream format, which `save_to_disk` writes."""
    table, buffer = pa.Table.from_pylist(rows), io.BytesIO()
    writer = pa.ipc.new_file if as_file else pa.ipc.new_stream
    with writer(buffer, table.schema) as out:
        out.write_table(table, batch_rows)
    return buffer.getvalue()
