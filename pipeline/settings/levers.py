"""Say which levers of `train.fast` go with which settings: each of them trains the same, or is refused."""

from typing import Any

from pipeline.launch.plugins import LEVERS

NO_LEVER = dict.fromkeys(LEVERS, False)
# A process holds a share of each weight under ZeRO-3, and the levers use whole ones.
WHOLE_WEIGHTS = (None, "zero0", "zero1", "zero2")


def find_fast_problems(config: dict[str, Any]) -> list[str]:
    """Return one line for each lever of `train.fast` that other settings do not go with."""
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
    return [f"{key}: with train.fast it has to be {fix}" for asked, key, fits, fix in needs if asked and not fits]
