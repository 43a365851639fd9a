"""push_model.py: Hugging Face's own client sends a run's model to a hub on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.files.folder_manifest import manifest_beside, write_manifest
from pipeline.gates import gate, write_gates
from tests.support.hub_to_push_to import Hub, serve_hub
from tests.support.model_folders import write_model_folder
from tests.support.project import ROOT

pytestmark = pytest.mark.training_environment
TOKEN = "hf_" + "a1" * 12
CARD = "---\nlicense: mit\n---\n\n# mine\n"


@pytest.fixture
def run_folder(tmp_path) -> Path:
    """Return the folder of a run that may be sent."""
    run = tmp_path / "results" / "mine"
    write_model_folder(run / "merged")
    (run / "merged" / ".snakemake_timestamp").touch()
    (run / "merged" / "README.md").write_text("of another time")
    (run / "model_card.md").write_text(CARD)
    for stage in ("dpo", "merge"):
        write_gates(run / stage / "gates.json", [gate("rows", True, 1, 1)])
    name_files(run)
    return run


@pytest.fixture
def hub():
    """Return a hub on this machine."""
    with serve_hub(TOKEN) as served:
        yield served


def name_files(run: Path) -> None:
    """Write the manifest of a run's model as it is now."""
    write_manifest(run / "merged", manifest_beside(run / "merged"))


def push(
    run: Path, *options: str, hub: Hub | None = None, token: str = TOKEN, to: str = "me/mine"
) -> subprocess.CompletedProcess[str]:
    """Run the tool on a run, with a hub or where none can be reached."""
    own = {
        "HF_ENDPOINT": hub.address if hub else "http://127.0.0.1:9",
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HOME": str(run / "home"),
        "HF_TOKEN": token,
    }
    command = [sys.executable, "-m", "tools.push_model", "--results", str(run.parent), "--run", run.name, "--to", to]
    return subprocess.run([*command, *options], cwd=ROOT, env=os.environ | own, capture_output=True, text=True)


def test_without_being_asked_it_says_what_would_be_sent_and_sends_nothing(run_folder):
    done = push(run_folder)
    assert (done.returncode, done.stderr) == (0, "")
    first, *rows, last = done.stdout.splitlines()
    assert first.endswith("results/mine as me/mine, private:")
    assert last == "Nothing was sent: add SEND=1 to send it."
    named = {row.split(maxsplit=1)[1]: int(row.split()[0].replace(",", "")) for row in rows}
    sizes = {path.name: path.stat().st_size for path in (run_folder / "merged").glob("[!.R]*")} | {
        "README.md": len(CARD)
    }
    assert named == sizes | {"in all": sum(sizes.values())}


def test_asked_for_it_sends_the_model_and_the_card_of_the_run(run_folder, hub):
    done = push(run_folder, "--send", hub=hub)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"Sent: {hub.address}/me/mine"
    files = {path.name: path.read_bytes() for path in (run_folder / "merged").glob("[!.R]*")}
    assert hub.files == files | {"README.md": CARD.encode()}
    assert hub.private == {"me/mine": True}
    assert TOKEN not in done.stdout


def test_public_is_what_was_asked_for(run_folder, hub):
    assert push(run_folder, "--send", "--public", hub=hub).returncode == 0
    assert hub.private == {"me/mine": False}


def test_a_place_that_is_public_already_gets_nothing_unasked(run_folder, hub):
    hub.private["me/mine"] = False
    done = push(run_folder, "--send", hub=hub)
    assert done.returncode == 1
    assert done.stderr.startswith("TO=me/mine: it is there already, and public; add PUBLIC=1")
    assert hub.files == {}


@pytest.mark.parametrize("token", ["hf_wrong_wrong_wrong", "hf_not\x01a header"])
def test_a_refusal_is_one_line_without_the_token(run_folder, hub, token):
    done = push(run_folder, "--send", hub=hub, token=token)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{hub.address}: ") and done.stderr.count("\n") == 1
    assert token not in done.stderr + done.stdout
    assert hub.files == {}


@pytest.mark.parametrize(
    ("token", "said"), [("", "HF_TOKEN: not set; export a token"), (TOKEN, "http://127.0.0.1:9: ConnectError: ")]
)
def test_no_token_and_no_hub_are_named_in_one_line(run_folder, token, said):
    done = push(run_folder, "--send", token=token)
    assert done.returncode == 1
    assert done.stderr.startswith(said) and done.stderr.count("\n") == 1
