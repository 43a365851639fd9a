"""Where plugins/fast/cached_reference.py keeps the reference's log-probabilities: a folder named after what decides."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.files.json_files import run_digest
from pipeline.settings.given_flags import flag_values

# On what the reference's log-probabilities of a pair depend, beside the models and the prompt's date: precision, what
# is read, what LoRA makes of the base model, and, in the last bits, which pairs are computed together.
REFERENCE_FLAGS = (
    *("torch_dtype", "bf16", "fp16", "attn_impl", "experts_impl", "loss_scale", "max_length", "truncation_strategy"),
    *("init_weights", "lora_rank", "target_modules", "target_parameters"),
    *("per_device_train_batch_size", "per_device_eval_batch_size", "eval_on_start", "seed", "data_seed"),
    *("dataset_shuffle", "train_dataloader_shuffle"),
)


def reference_digest(
    prompt_date: str, processes: int, levers: Iterable[str], flags: list[str], code: list[str], *models: Path
) -> str:
    """Return the name of the folder. `models` are the manifests of the model and of its adapter.

    `code` is what code_of() says of the training.
    """
    values = [f"{name} {' '.join(flag_values(flags, name))}" for name in REFERENCE_FLAGS]
    return run_digest([prompt_date, str(processes), *levers, *values, *code], *models)
