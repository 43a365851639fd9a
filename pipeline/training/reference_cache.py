"""Where plugins/fast/cached_reference.py keeps the reference's log-probabilities: a folder named after what decides."""

from pipeline.files.json_files import run_digest
from pipeline.settings.flags import flag_words
from pipeline.training.training import Training

# On what the reference's log-probabilities of a pair depend, beside the models and the prompt's date: precision, what
# is read, what LoRA makes of the base model, and, in the last bits, which pairs are computed together.
REFERENCE_SETTINGS = (
    *("torch_dtype", "bf16", "fp16", "attn_impl", "experts_impl", "loss_scale", "max_length", "truncation_strategy"),
    *("init_weights", "lora_rank", "target_modules", "target_parameters"),
    *("per_device_train_batch_size", "per_device_eval_batch_size", "eval_on_start", "seed", "data_seed"),
    *("dataset_shuffle", "train_dataloader_shuffle"),
)


def reference_digest(training: Training, code: list[str]) -> str:
    """Return the name of the folder. `code` is what code_of() says of the training."""
    values = [f"{name} {' '.join(flag_words({name: training.dpo.get(name)})[1:])}" for name in REFERENCE_SETTINGS]
    words = [*training.prompt_words, str(training.processes), *training.levers, *values, *code]
    return run_digest(words, *training.manifests)
