"""Send a run's tuned model, with its card, to a model hub that speaks Hugging Face's protocol."""

import re
import sys
from pathlib import Path

from pipeline.files.folder_manifest import CARD, list_files
from pipeline.gates import describe_gate, read_gates
from pipeline.models.model_gate import judge_files
from pipeline.serving.served_run import require_run
from pipeline.settings.run_files import RunFiles

Files = dict[str, Path]  # by the name on the hub

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
SECRET_NAMES = re.compile(
    r"\.(pem|key|p12|pfx|netrc)$|^(token|credentials|secrets?|id_(rsa|ed25519))(\.|$)", re.IGNORECASE
)
SECRETS = re.compile(
    rb"\b(hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[A-Z0-9]{16}\b)|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
WEIGHTS = ".safetensors"  # numbers, which no secret is looked for in


def find_files(results: Path, run: str) -> Files:
    """Return the files of a run's tuned model and its card; stop with one line if they must not be sent."""
    files, card = RunFiles(results / run), results / run / "model_card.md"
    needed = [path for stage, path in files.gates if stage in ("dpo", "merge")]
    require_run(results, run, [files.merged_manifest, card, *needed])
    require_all_gates(files)
    for path in files.merged.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(files.merged.resolve()):
            sys.exit(f"{path}: a link out of the folder; put a copy of the file in its place")
    judged = judge_files("model_files", files.merged, files.merged_manifest)
    if not judged["passed"]:
        sys.exit(judged["value"])
    sent = {str(path.relative_to(files.merged)): path for path in list_files(files.merged)} | {CARD: card}
    for name, path in sent.items():
        require_no_secret(name, path)
    return sent


def require_all_gates(files: RunFiles) -> None:
    """Stop with one line if a gate of a run has failed, also one that was only reported."""
    for _, path in files.gates:
        for row in read_gates(path):
            if not row["passed"]:
                sys.exit(f"{path}: {describe_gate(row)}; a model whose gates did not pass is not sent")


def require_no_secret(name: str, path: Path) -> None:
    """Stop with one line if a file is named like a secret, or holds a text like one."""
    if SECRET_NAMES.search(Path(name).name):
        sys.exit(f"{path}: named like a secret; move it out of the folder, and write the manifest of the folder again")
    if path.suffix != WEIGHTS and (found := SECRETS.search(path.read_bytes())):
        sys.exit(f"{path}: has a text like a key ({found[0][:4].decode()}…); take it out, and make that key invalid")


def describe_files(files: Files) -> str:
    """Return a table of files with their sizes in bytes, and their sum."""
    sizes = {name: path.stat().st_size for name, path in files.items()}
    rows = [*sizes.items(), ("in all", sum(sizes.values()))]
    return "\n".join(f"  {size:>16,}  {name}" for name, size in rows)


def send_files(files: Files, name: str, message: str, private: bool) -> str:
    """Make the model's place on the hub, if it is not there, and send files in one commit; return its address.

    Stops with one line if the hub refuses, or if the place is public and must not be.
    """
    import httpx  # in the training environment only, as the library of the hub
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    token = get_token()
    if not token:
        sys.exit("HF_TOKEN: not set; export a token that may write, or run: envs/with-training hf auth login")
    hub = HfApi(token=token)
    try:
        address = hub.create_repo(name, private=private, exist_ok=True)
        if private and not hub.model_info(name).private:
            sys.exit(f"TO={name}: it is there already, and public; add PUBLIC=1 if that is right, or name another")
        sent = [CommitOperationAdd(path_in_repo=file, path_or_fileobj=path) for file, path in files.items()]
        hub.create_commit(name, sent, commit_message=message)
    except (OSError, ValueError, httpx.HTTPError) as error:
        said = " ".join(str(error).split()).replace(token, "…")
        sys.exit(f"{hub.endpoint}: {type(error).__name__}: {said}")
    return str(address)
