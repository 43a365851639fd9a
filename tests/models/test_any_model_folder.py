"""check_model.py, given folders of any content: they can be tuned, or one line names the file; nothing else escapes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.check_model import main
from tests.support.model_folders import SHARDS, write_model_folder

INDEX = "model.safetensors.index.json"
JSON_FILES = ("config.json", INDEX, "tokenizer_config.json", "generation_config.json", "args.json")
often = settings(suppress_health_check=list(HealthCheck))

odd = st.sampled_from(
    [
        *(float("nan"), float("inf"), 10**400, 10**12, -1, 0, 2.0, True, None, "", "a\nb", "\ud800", "\0", "x" * 300),
        *("../x", SHARDS[0], "mxfp4", "bfloat16", [], {}, [[]], {"a": []}),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | odd,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module", params=["packed", "bfloat16"])
def folder(request, tmp_path_factory) -> Path:
    """Return the folder of a model, which each example changes and restores."""
    folder = write_model_folder(tmp_path_factory.mktemp("any") / "model", packed=request.param == "packed")
    for name in JSON_FILES:
        if not (folder / name).exists():
            (folder / name).write_text('{"a": 1, "b": {"c": [2]}}', encoding="utf-8")
    return folder


def check(folder: Path, name: str, data: bytes) -> None:
    """Check the model with a file of these bytes, and see how that ends."""
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(data)
    try:
        main([str(folder), "--manifest", str(folder.with_suffix(".sha256"))])
    except SystemExit as stop:
        said = stop.code
        assert isinstance(said, str) and len(said.splitlines()) == 1 and said.isprintable(), said
        assert said.startswith(str(folder)), said
        assert len(said) < 1000
    finally:
        (folder / name).write_bytes(whole)


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Return the paths of all values within one, its own first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


def change(value: Any, draw) -> Any:
    """Return a value with another one, or no one, in a place of it, or with one key more."""
    at = draw(st.sampled_from(places(value)))
    if not at:
        return draw(values)
    inner = value
    for key in at[:-1]:
        inner = inner[key]
    match draw(st.sampled_from(["other", "without", "more"])):
        case "other":
            inner[at[-1]] = draw(values)
        case "without":
            del inner[at[-1]]
        case "more" if isinstance(inner, dict):
            inner[draw(st.text(max_size=5) | st.sampled_from(["a\nb", "\ud800", "__metadata__"]))] = draw(values)
    return value


@pytest.mark.parametrize("name", JSON_FILES)
@often
@given(data=st.data())
def test_a_file_of_any_json_is_named_in_one_line_or_does_no_harm(folder, name, data):
    said = change(json.loads((folder / name).read_bytes()), data.draw)
    check(folder, name, json.dumps(said).encode())


@pytest.mark.parametrize("name", SHARDS)
@often
@given(data=st.data())
def test_weights_with_any_header_are_named_in_one_line_or_do_no_harm(folder, name, data):
    whole = (folder / name).read_bytes()
    size = int.from_bytes(whole[:8], "little")
    header = json.dumps(change(json.loads(whole[8 : 8 + size]), data.draw)).encode()
    check(folder, name, len(header).to_bytes(8, "little") + header + whole[8 + size :])


@pytest.mark.parametrize("name", [*JSON_FILES, *SHARDS])
@often
@given(data=st.data())
def test_a_file_with_other_bytes_is_named_in_one_line_or_does_no_harm(folder, name, data):
    whole = (folder / name).read_bytes()
    at = data.draw(st.integers(0, min(len(whole), 3000)))
    end = data.draw(st.integers(at, at + 9) | st.just(len(whole)))
    check(folder, name, whole[:at] + data.draw(st.binary(max_size=9)) + whole[end:])


@pytest.mark.parametrize("name", JSON_FILES)
@pytest.mark.parametrize(
    "text", ["", "[]", "null", "[" * 100_000, '{"weight_map": []}', '{"weight_map": {"a": 1}}', "\ufeff{}"]
)
def test_a_file_of_odd_shape_is_named(folder, name, text):
    check(folder, name, text.encode())


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    for name in ("config.json", INDEX, SHARDS[0]):
        folder = write_model_folder(tmp_path / name / "model")
        (folder / name).unlink()
        (folder / name).mkdir()
        with pytest.raises(SystemExit) as stop:
            main([str(folder), "--manifest", str(tmp_path / "x.sha256")])
        assert str(folder) in stop.value.code
        shutil.rmtree(folder)
