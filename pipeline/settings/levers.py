"""Refuse what `train.fast` and `train.small` do together with settings under which it would change the training."""

from typing import Any

from pipeline.launch.plugins import LEVERS

NO_LEVER = dict.fromkeys(LEVERS, False)
# The levers need whole weights; under ZeRO-3 each process holds only a share of each.
WHOLE_WEIGHTS = (None, "zero0", "zero1", "zero2")


def find_fast_problems(config: dict[str, Any]) -> list[str]:
    """Return one line for each setting that a lever of `train.fast` does not work with."""
    dpo, fast = config["dpo"], config["train"]["fast"]
    packed = fast["packed_pairs"]
    attention = "flex_attention" if config["train"]["gpus"] else "eager"
    needs = [
        (any(fast.values()), "dpo.rlhf_type", dpo["rlhf_type"] == "dpo", "dpo"),
        (any(fast.values()), "dpo.deepspeed", dpo["deepspeed"] in WHOLE_WEIGHTS, "null or zero2"),
        (packed, "dpo.attn_impl", dpo["attn_impl"] == attention, f"{attention}, which reads its masks"),
        (packed, "dpo.router_aux_loss_coef", dpo["router_aux_loss_coef"] == 0, "0: it counts a shared prompt once"),
        (packed, "dpo.use_liger_kernel", not dpo["use_liger_kernel"], "false: logits are for answers' tokens only"),
        (fast["compiled_layers"], "train.fast.packed_pairs", packed, "true: layers are compiled for each length"),
        (
            fast["compiled_layers"],
            "train.fast.cached_reference",
            fast["cached_reference"],
            "true: it runs the reference through the same kernels",
        ),
    ]
    return [f"{key}: with train.fast it must be {fix}" for asked, key, fits, fix in needs if asked and not fits]


def find_small_problems(config: dict[str, Any]) -> list[str]:
    """Return one line for each setting of `train.small` that does not work with others."""
    small, compiled = config["train"]["small"], config["train"]["fast"]["compiled_layers"]
    problems = []
    if small["experts_at_once"] and compiled:
        problems.append("train.fast.compiled_layers: with train.small.experts_at_once it must be false")
    if small["host_embeddings"] and config["dpo"]["deepspeed"] not in WHOLE_WEIGHTS:
        problems.append("train.small.host_embeddings: needs whole weights; set dpo.deepspeed to null or zero2")
    return problems
