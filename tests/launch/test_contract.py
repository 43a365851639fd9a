"""launch/contract.py: what is written is read, and what is recorded is the same on every machine."""

import json

import pytest

from pipeline.launch.contract import Contract, Tracking

TRACKING = Tracking("offline", "results/tiny/swanlab", "p", "tiny", "abcdef")


@pytest.mark.parametrize("tracking", [None, TRACKING])
def test_what_is_written_is_read(tmp_path, monkeypatch, tracking):
    contract = Contract(tmp_path, 3, 2, {"collapse": "report"}, tracking, "results/reference")
    for name, value in contract.write().items():
        monkeypatch.setenv(name, value)
    assert Contract.read() == contract


def test_the_record_names_no_folder_of_this_attempt(tmp_path):
    record = Contract(tmp_path, 3, 2, {"collapse": "report"}, TRACKING, str(tmp_path)).record()
    assert str(tmp_path) not in json.dumps(record) and "abcdef" not in json.dumps(record)
    assert record["tracking"]["mode"] == "offline" and record["train_rows"] == 3


@pytest.mark.parametrize(("change", "said"), [({"rows": 3}, "rows"), ({"train_rows": ...}, "train_rows")])
def test_a_contract_of_another_release_is_not_read(tmp_path, change, said):
    Contract(tmp_path, 3, 2).write()
    file = tmp_path / "contract.json"
    told = json.loads(file.read_text(encoding="utf-8")) | change
    file.write_text(json.dumps({k: v for k, v in told.items() if v is not ...}), encoding="utf-8")
    with pytest.raises(TypeError, match=said):
        Contract.read(file)
