"""Train the same model on the same pairs: with the tutorial's command under ms-swift 3.7.0, and with this project."""

import json
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

from pipeline.launch.on_nodes import free_port
from pipeline.settings.flags import swift_flags
from pipeline.swift_commands.read_command import read_command
from tests.support.project import ROOT
from tests.support.tutorial_run import DATE, read_rows, run_quietly
from tests.swift_commands.test_explain_command import TUTORIAL

PROCESSES = 4
OLD = ROOT / ".venv-fidelity" / "bin"
PINNED = ROOT / ".venv-training" / "bin"
# What of the command a CPU or a test without a network cannot do, and why.
LEFT_OUT = {
    "use_liger_kernel": "Liger's kernels need a GPU; and under 3.7.0 it had none for gpt-oss",
    "report_to": "SwanLab's cloud needs an account and a network; ms-swift writes logging.jsonl in any case",
    "swanlab_project": "the same",
}
# Flags that the test sets: where files are, a row a step, and no question to a hub.
OWN = {"logging_steps": 1, "add_version": "false", "check_model": "false", "report_to": "none"}
OLD_PLUGINS = [ROOT / "plugins" / "cpu_zero3.py", ROOT / "tests" / "runs" / "fidelity" / "lenient_zip.py"]
ENVIRONMENT = {
    **{
        "OMP_NUM_THREADS": "1",
        "DS_ACCELERATOR": "cpu",
        "TOKENIZERS_PARALLELISM": "false",
        "PROMPT_DATE": DATE,
        "REASONING_EFFORT": "medium",
    },
    **{"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "NPROC_PER_NODE": str(PROCESSES)},
}


def copy_for_old_release(model: Path, folder: Path) -> Path:
    """Copy a model, its weights and tokens as they are, with settings under the names that transformers 4.55 reads."""
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    positions = config.pop("rope_parameters")
    config |= {"rope_theta": positions.pop("rope_theta"), "rope_scaling": positions, "torch_dtype": config.pop("dtype")}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def train_as_written(model: Path, pairs: Path, folder: Path, changed: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the tutorial's command under ms-swift 3.7.0; return the curves, a row a step."""
    flags = {name: values for name, values in read_command(TUTORIAL).flags.items() if name not in LEFT_OUT}
    places = {"model": str(model), "dataset": str(pairs), "output_dir": str(folder / "output")}
    words = shlex.split(swift_flags(flags | OWN | places | changed))
    folder.mkdir(parents=True)
    own = {"PATH": f"{OLD}{os.pathsep}{os.environ['PATH']}", "MASTER_PORT": str(free_port())}
    command = [str(OLD / "swift"), "rlhf", *words, "--external_plugins", *map(str, OLD_PLUGINS)]
    run_quietly(command, folder / "log.txt", env=os.environ | ENVIRONMENT | own)
    return read_rows(folder / "output" / "logging.jsonl")


def trace(programs: Path, model: Path, pairs: Path, out: Path) -> dict[str, Any]:
    """Return the tokens of the pairs and the order in which the processes take them (trace_pairs.py)."""
    script = [programs / "python", "-m", "tests.runs.fidelity.trace_pairs", model, pairs, PROCESSES, out]
    run_quietly([*map(str, script)], out.with_suffix(".log"), env=os.environ | ENVIRONMENT)
    return dict(json.loads(out.read_text(encoding="utf-8")))
