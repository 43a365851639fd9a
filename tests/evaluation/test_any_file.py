"""Files that people name in settings beside their pairs, of any content: they are read, or one line names the file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.evaluation.external import read_external
from pipeline.evaluation.passages import read_passages
from pipeline.evaluation.row_metrics import read_terms
from pipeline.preferences.conversations import read_conversations
from pipeline.preferences.prompts import PromptFile
from pipeline.settings.check import load_config

often = settings(suppress_health_check=list(HealthCheck))
DATA = load_config([])["data"]
READERS: dict[str, Callable[[Path], object]] = {
    "infer.prompts": lambda path: list(PromptFile(path, DATA).read()),
    "sft.data": lambda path: list(read_conversations(path, set())),
    "evaluate.neutral": read_passages,
    "evaluate.terms": read_terms,
    "evaluate.external": lambda path: read_external({"dpo": [path]}),
}
TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
SEEDS = (
    *({"prompt": "Hi", "id": "a"}, {"messages": TURNS[:1], "system": "Be kind."}, {"messages": TURNS}),
    *({"id": "a", "text": "Once upon a time"}, {"id": "b", "messages": TURNS}),
    {"results": {"mmlu": {"acc,none": 0.5, "acc_stderr,none": 0.1}}, "n-samples": {"mmlu": {"effective": 5}}},
    {"dataset_name": "x", "metrics": [{"name": "acc", "score": 0.5, "num": 3}]},
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([10**400, "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Return the paths of all values within one."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in ((*path, key), *places(inner, (*path, key)))]


@st.composite
def changed_rows(draw) -> bytes:
    """Draw a file of rows, with other values in some places, and bytes that are not JSON."""
    lines = []
    for seed in draw(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=3)):
        row = inner = json.loads(json.dumps(seed))
        *above, last = draw(st.sampled_from(places(row)))
        for key in above:
            inner = inner[key]
        inner[last] = draw(values)
        lines.append(json.dumps(row, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass"))
    return b"\n".join(lines) + draw(st.sampled_from([b"", b"\n", b"\n\xff", b"\0", b"1e400", b"[" * 5000]))


@pytest.mark.parametrize("setting", READERS)
@often
@given(data=changed_rows() | st.binary(max_size=60) | st.text("ab\t\n\r\"'\0é", max_size=20).map(str.encode))
def test_a_file_is_read_or_named_in_one_line(tmp_path, setting, data):
    for suffix in (".jsonl", ".txt") if setting == "infer.prompts" else (".jsonl",):
        path = tmp_path / f"mine{suffix}"
        path.write_bytes(data)
        try:
            READERS[setting](path)
        except SystemExit as stop:
            assert isinstance(stop.code, str) and len(stop.code.splitlines()) == 1 and stop.code.encode(), stop.code
            assert stop.code.startswith(str(path))
