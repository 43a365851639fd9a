"""preferences/workers.py: what the other processes do."""

import json
from contextlib import closing
from dataclasses import replace

import pytest

from pipeline.preferences import workers
from pipeline.preferences.chunk import Chunk
from pipeline.preferences.convert_chunk import convert_chunk
from pipeline.preferences.options import Options
from pipeline.preferences.slots import Slots
from pipeline.preferences.workers import convert_slot

OPTIONS = Options(system="Translate.")
ROW = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "a"}], "rejected_response": "b"}
CHUNK = Chunk("raw.jsonl", "swift", json.dumps(ROW).encode(), 1)


@pytest.mark.parametrize("is_small", [True, False])
def test_the_pairs_of_a_chunk_come_back_in_its_slot_if_they_fit(is_small, tmp_path, monkeypatch):
    pairs = convert_chunk(CHUNK, OPTIONS).pairs
    monkeypatch.setattr(workers, "SLOT_BYTES", len(pairs) - (not is_small))
    with closing(Slots.create(tmp_path / "slots", 2)) as slots:
        monkeypatch.setattr(workers, "slots", slots, raising=False)
        slots.write(1, CHUNK.data + b"what was there before")
        size, converted = convert_slot(1, len(CHUNK.data), replace(CHUNK, data=b""), OPTIONS)
        assert (size, converted.pairs) == ((len(pairs), b"") if is_small else (0, pairs))
        assert slots.read(1, size) == (pairs if is_small else b"")
