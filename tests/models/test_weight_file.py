"""models/weight_file.py: headers of safetensors files, and files written piece by piece."""

import json

import pytest

from pipeline.models.weight_file import Kind, read_bytes, read_header, write_weights

KINDS = {"b": Kind("BF16", (2, 3)), "a": Kind("U8", (5,)), "c": Kind("F32", (1,))}
DATA = bytes(range(21))


@pytest.fixture
def file(tmp_path):
    """Return a file of three tensors."""
    write_weights(tmp_path / "model.safetensors", KINDS, [DATA[:7], DATA[7:]])
    return tmp_path / "model.safetensors"


def write_header(file, header, data: bytes = b"\0" * 4) -> None:
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)


def problem_of(file) -> str:
    with pytest.raises(ValueError, match=r"; fetch the model's weights again$") as error:
        read_header(file)
    return str(error.value).removeprefix(f"{file}: ").partition(";")[0]


def test_tensors_come_back_in_their_order_with_their_bytes(file):
    header = read_header(file)
    assert {name: stored.kind for name, stored in header.items()} == KINDS
    assert list(header) == list(KINDS)
    assert b"".join(piece for stored in header.values() for piece in read_bytes(stored, 2)) == DATA


def test_numbers_begin_at_a_multiple_of_8(file):
    assert read_header(file)["b"].start % 8 == 0


def test_a_header_in_another_order_than_the_bytes_is_read_all_the_same(tmp_path):
    entries = {
        "a": {"dtype": "U8", "shape": [1], "data_offsets": [3, 4]},
        "b": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]},
    }
    write_header(tmp_path / "f", entries)
    header = read_header(tmp_path / "f")
    assert list(header) == ["a", "b"]
    assert header["a"].start == header["b"].start + 3


@pytest.mark.parametrize("kept", [0, 7, 8, 50])
def test_a_file_that_ends_in_its_header_is_named(file, kept):
    file.write_bytes(file.read_bytes()[:kept])
    assert problem_of(file) == "its header goes beyond its end"


@pytest.mark.parametrize(("change", "bytes_there"), [(-1, -1), (1, 1)])
def test_a_file_with_too_few_or_too_many_bytes_is_named(file, change, bytes_there):
    whole = file.read_bytes()
    file.write_bytes(whole[:change] if change < 0 else whole + b"\0")
    assert problem_of(file) == f"{len(whole) + bytes_there:,} bytes, but its header says {len(whole):,}"


ENTRY = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}


@pytest.mark.parametrize(
    "header",
    [
        *(b"{", b"[]", {"a": 1}, {"a": {}}, {"a": ENTRY | {"dtype": "U9"}}, {"a": ENTRY | {"shape": ["4"]}}),
        *({"a": ENTRY | {"data_offsets": offsets}} for offsets in ([0, 3], [1, 5], [0], "04", None)),
        {"a": ENTRY, "b": ENTRY},
    ],
)
def test_a_broken_header_is_named(tmp_path, header):
    write_header(tmp_path / "f", header)
    assert problem_of(tmp_path / "f") == "not the header of a safetensors file"
