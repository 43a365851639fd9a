"""Name the words of a command that become no setting."""

import re
from collections.abc import Iterator

from pipeline.launch.model_flags import MODEL_TYPE, TEMPLATE
from pipeline.launch.plugins import CALLBACKS
from pipeline.settings.check import load_config
from pipeline.swift_commands.flag_knowledge import PINNED, fault_of, hint_for, load_defaults, load_knowledge, value_of
from pipeline.swift_commands.read_command import Command
from pipeline.swift_commands.values import number

# What scripts/train_dpo.py gives to every training, or takes from elsewhere than a setting.
ALWAYS_SET = {
    "add_version": "false",
    "check_model": "false",
    "strict": "true",
    "model_type": MODEL_TYPE,
    "template": TEMPLATE,
}
OWN_PLACES = ("output_dir", "resume_from_checkpoint")
OWN_NAMES = {
    "external_plugins": re.compile(r"(?:.*/)?plugins/\w+\.py"),
    "callbacks": re.compile("|".join(CALLBACKS)),
}
# Variables of the environment that become settings, or that a run of this project sets itself.
OWN_VARIABLES = (
    *("NNODES", "DS_ACCELERATOR", "PROMPT_DATE", "TRACKING_MODE", "SWANLAB_API_HOST", "OMP_NUM_THREADS"),
    *("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "TOKENIZERS_PARALLELISM", "MKL_NUM_THREADS"),
)
SECRET = re.compile(r"(token|secret|password|api_?key|webhook_url)$", re.IGNORECASE)


def list_flags_left(flags: dict[str, list[str]], command: Command, release: str) -> Iterator[str]:
    """Yield a line for each flag that becomes no setting."""
    sections = {"dataset", "model", "system", "split_dataset_ratio", "use_cpu", "report_to", "swanlab_mode"}
    settled = sections | {"swanlab_project", "swanlab_exp_name", *OWN_PLACES, *load_config([])["dpo"]}
    for flag, values in flags.items():
        said = said_of(flag, values)
        if fault := fault_of(flag, values):
            yield f"{said}: {fault}"
        elif flag in settled or (flag in OWN_NAMES and all(map(OWN_NAMES[flag].fullmatch, values))):
            continue
        elif flag in ALWAYS_SET:
            if value_of(flag, values) != ALWAYS_SET[flag]:
                yield f"{said}: here it is always {ALWAYS_SET[flag]}"
        elif flag == "val_dataset":
            if not is_own_file(values, command):
                yield f"{said}: data.val names one file, folder or glob, and takes all of its pairs; set it"
        elif flag not in load_defaults(release) and flag not in load_defaults(PINNED):
            hint = hint_for(flag, release)
            yield f"{said}: not a flag of swift rlhf" + (f"; {hint}" if hint else "")
        elif number(" ".join(values)) != load_defaults(PINNED).get(flag, ...):
            yield f"{said}: no setting of this project"


def list_environment_left(command: Command) -> Iterator[str]:
    """Yield a line for each variable of the environment that becomes no setting, and each value that is not known."""
    for name, value in command.environment.items():
        if name not in (*OWN_VARIABLES, *load_knowledge()["environment"]):
            yield f"{hide(name, value)}: in the environment; export it where snakemake runs"
    for value, waits_for in command.unknown.items():
        if any(value in values for values in command.flags.values()):
            yield f"{value}: the script alone does not say what {waits_for} is; write the setting"


def is_own_file(values: list[str], command: Command) -> bool:
    """Say whether these values are one file whose name the command tells, and all rows of it."""
    return len(values) == 1 and "#" not in values[0] and values[0] not in command.unknown


def said_of(flag: str, values: list[str]) -> str:
    """Return a flag and its values in words, without a secret."""
    return hide(f"--{flag}", " ".join(values), " ").strip()


def hide(name: str, value: str, sign: str = "=") -> str:
    """Return a name with its value, or with dots where the name is that of a secret."""
    return f"{name}{sign}{'…' if value and SECRET.search(name) else value}"
