"""hub_upload.py: what is not sent. test_push_model.py sends."""

from pathlib import Path

import pytest

from pipeline.files.folder_manifest import manifest_beside, write_manifest
from pipeline.gates import gate, write_gates
from pipeline.publishing.hub_upload import HUB_NAME, find_files
from tests.support.model_folders import write_model_folder


@pytest.fixture
def run(tmp_path) -> Path:
    """Return the folder of a run that may be sent."""
    run = tmp_path / "results" / "mine"
    write_model_folder(run / "merged")
    (run / "model_card.md").write_text("# mine\n")
    for stage in ("dpo", "merge"):
        write_gates(run / stage / "gates.json", [gate("rows", True, 1, 1)])
    name_files(run)
    return run


def name_files(run: Path) -> None:
    """Write the manifest of a run's model as it is now."""
    write_manifest(run / "merged", manifest_beside(run / "merged"))


def refusal(run: Path) -> str:
    """Return the line with which a run is refused."""
    with pytest.raises(SystemExit) as stopped:
        find_files(run.parent, run.name)
    assert "\n" not in str(stopped.value.code)
    return str(stopped.value.code)


def test_the_files_of_the_manifest_are_sent_and_the_run_s_card(run):
    names = {path.name for path in (run / "merged").iterdir()}
    files = find_files(run.parent, run.name)
    assert files.keys() == names | {"README.md"}
    assert files["README.md"] == run / "model_card.md"


@pytest.mark.parametrize("stage", ["dpo", "merge", "infer", "evaluate", "sft"])
def test_a_gate_that_failed_in_any_stage_stops_it(run, stage):
    write_gates(run / stage / "gates.json", [gate("rows", False, 3, 4)])
    assert refusal(run) == (
        f"{run}/{stage}/gates.json: rows is 3, expected 4; a model whose gates did not pass is not sent"
    )


@pytest.mark.parametrize("missing", ["dpo/gates.json", "merge/gates.json", "model_card.md", "merged.sha256"])
def test_a_run_that_is_not_whole_is_not_sent(run, missing):
    (run / missing).unlink()
    assert refusal(run).startswith(f"{run / missing}: missing; ")


@pytest.mark.parametrize("name", ["notes.txt", "config.json"])
def test_a_file_that_the_manifest_does_not_have_so_is_not_sent(run, name):
    (run / "merged" / name).write_text("another")
    assert f"merged/{name} differs from {run}/merged.sha256" in refusal(run)


def test_a_link_out_of_the_folder_is_not_followed(run, tmp_path):
    (tmp_path / "private").write_text("private")
    (run / "merged" / "notes.txt").symlink_to(tmp_path / "private")
    name_files(run)
    assert refusal(run) == f"{run}/merged/notes.txt: a link out of the folder; put a copy of the file in its place"


@pytest.mark.parametrize("name", ["server.pem", "token", "credentials.json", "id_rsa", "Secrets.yaml"])
def test_a_file_named_like_a_secret_is_not_sent(run, name):
    (run / "merged" / name).write_text("x")
    name_files(run)
    assert f"merged/{name}: named like a secret" in refusal(run)


@pytest.mark.parametrize("name", ["tokenizer.json", "special_tokens_map.json", "added_tokens.json", "keys.txt"])
def test_a_tokenizer_s_files_are_sent(run, name):
    (run / "merged" / name).write_text("{}")
    name_files(run)
    assert name in find_files(run.parent, run.name)


@pytest.mark.parametrize(
    "text", ["hf_" + "aB3" * 10, "ghp_" + "a1" * 18, "AKIA" + "A1" * 8, "-----BEGIN RSA PRIVATE KEY-----"]
)
@pytest.mark.parametrize("file", ["model_card.md", "merged/config.json"])
def test_a_text_like_a_key_is_not_sent_and_not_shown(run, text, file):
    path = run / file
    path.write_text(path.read_text() + text)
    name_files(run)
    said = refusal(run)
    assert said.startswith(f"{path}: has a text like a key")
    assert text not in said


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("org/name", True),
        ("my-org/gpt-oss-20b.v1", True),
        ("name", False),
        ("a/b/c", False),
        ("../x", False),
        ("", False),
    ],
)
def test_a_place_on_a_hub_has_an_owner_and_a_name(name, fits):
    assert bool(HUB_NAME.fullmatch(name)) == fits
