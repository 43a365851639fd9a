"""Results on other remotes: an S3 server on loopback, and a shared folder."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import requests

from tests.support.both_engines import assert_nothing_to_do
from tests.support.project import ROOT, dvc, link_environments, run_command

pytestmark = pytest.mark.ci("results that come back from a remote damaged")

PATIENCE = 60.0  # seconds
POLL = 0.1
KEYS = {"AWS_ACCESS_KEY_ID": "test-key-id", "AWS_SECRET_ACCESS_KEY": "test-secret", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Start an S3 server, and return its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    server = subprocess.Popen(
        [ROOT / ".venv-tests" / "bin" / "moto_server", "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def s3(server: str) -> str:
    """Make an empty bucket, and return the server's address."""
    requests.post(f"{server}/moto-api/reset", timeout=PATIENCE).raise_for_status()
    client(server).create_bucket(Bucket="results")
    return server


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with socket.socket() as caller:
            if caller.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(POLL)
    raise TimeoutError(port)


def client(address: str):
    """Return a client of the server."""
    return boto3.client(
        "s3", endpoint_url=address, region_name=KEYS["AWS_DEFAULT_REGION"],
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip


def clone_of(published: Path, target: Path) -> Path:
    """Clone without what was pulled, and without the store."""
    subprocess.run(["git", "clone", "--quiet", published, target], check=True)
    subprocess.run(["rm", "-rf", ".dvc/store"], cwd=target, check=True)
    link_environments(target)
    return target


def add_s3(clone: Path, address: str) -> None:
    """Make the bucket a remote, as docs/reproducing.md says."""
    dvc(clone, "remote", "add", "--default", "team", "s3://results/dpo", "--force")
    dvc(clone, "remote", "modify", "team", "verify", "true")
    dvc(clone, "remote", "modify", "team", "endpointurl", address)


def assert_pulls_and_reproduces(clone: Path, **environment: str) -> None:
    """See that a clone gets everything, and has nothing to do then; and that one stage can be computed again."""
    dvc(clone, "pull", "--quiet", **environment)
    assert_nothing_to_do(clone)
    answers = clone / "results" / "tiny" / "infer" / "predictions.jsonl"
    before = answers.read_bytes()
    dvc(clone, "repro", "--force", "--single-item", "gather_predictions")
    assert answers.read_bytes() == before


def test_results_go_to_an_s3_server_and_come_back_in_another_clone(published, tmp_path, s3):
    add_s3(published, s3)
    dvc(published, "push", "--quiet", **KEYS)
    other = clone_of(published, tmp_path / "other")
    add_s3(other, s3)
    assert_pulls_and_reproduces(other, **KEYS)
    settings = (published / ".dvc" / "config").read_text(encoding="utf-8")
    assert not [value for value in list(KEYS.values())[:2] if value in settings]


def test_a_truncated_object_on_the_s3_server_is_named_and_does_not_get_into_results(published, tmp_path, s3):
    add_s3(published, s3)
    dvc(published, "push", "--quiet", "merge_adapter", **KEYS)
    bucket = client(s3)
    largest = max(bucket.list_objects_v2(Bucket="results")["Contents"], key=lambda entry: entry["Size"])
    bucket.put_object(Bucket="results", Key=largest["Key"], Body=b"cut")
    other = clone_of(published, tmp_path / "other")
    add_s3(other, s3)
    pulled = run_command("dvc", "pull", "merge_adapter", cwd=other, **KEYS)
    assert pulled.returncode == 1
    assert "results/tiny/merged" in pulled.stderr
    assert not (other / "results/tiny/merged/model.safetensors").exists()


def test_without_credentials_the_remote_says_so(published, s3, tmp_path):
    add_s3(published, s3)
    keyless = {name: "" for name in KEYS} | {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    pushed = run_command("dvc", "push", cwd=published, **keyless)
    assert pushed.returncode != 0
    assert "credentials" in pushed.stderr.lower()


def test_results_go_to_a_shared_folder_and_come_back_in_another_clone(published, tmp_path):
    (tmp_path / "shared").mkdir()
    dvc(published, "remote", "add", "--default", "team", str(tmp_path / "shared"), "--force")
    dvc(published, "push", "--quiet")
    other = clone_of(published, tmp_path / "other")
    dvc(other, "remote", "add", "--default", "team", str(tmp_path / "shared"), "--force")
    assert_pulls_and_reproduces(other)


def test_the_committed_configuration_holds_no_credentials():
    settings = (ROOT / ".dvc" / "config").read_text(encoding="utf-8")
    assert not [word for word in ("key", "secret", "token", "password") if word in settings]
    assert "/config.local" in (ROOT / ".dvc" / ".gitignore").read_text(encoding="utf-8")
