"""Say which loss the first step of a training must show, from its settings and from what else that step logs.

With a fresh LoRA the policy is the reference model, so that every log-ratio is 0 and a loss is a constant.
"""

from typing import Any

from pipeline.settings.losses import LOSSES, loss_names

# How a LoRA may start so that it adds nothing. pissa and olora change the weights beneath it, too: switched off, it
# leaves another model than the one that was loaded.
ZERO_STARTS = ("true", "gaussian")


def predict_first_loss(settings: dict[str, Any], logged: dict[str, float]) -> float | None:
    """Return the loss that step 1 must show, or None if constants and logged means do not determine it.

    `settings` is config.yaml's `dpo`; `logged` is the row of the curves at step 1, under logging.jsonl's keys.
    Raises KeyError where the row lacks a mean that the trainer logs. There is no such function

    - where the policy does not start as the reference (`init_weights`);
    - where `ld_alpha` weights the policy's answers, because the reference's are not weighted;
    - for simpo and cpo, which have no reference and bend the log-probabilities before the mean is taken;
    - for kto with two weights, because a batch is a random mix of chosen and rejected answers;
    - for orpo and kto with a router loss, which they do not log.
    """
    kind, router = settings["rlhf_type"], float(settings["router_aux_loss_coef"])
    if kind == "orpo" and not router:
        return logged["nll_loss"] - float(settings["beta"]) * logged["log_odds_ratio"]
    if settings["init_weights"] not in ZERO_STARTS:
        return None
    if kind == "kto" and not router:
        return predict_kto(settings)
    if kind == "dpo" and settings["ld_alpha"] in (None, 1):
        return predict_dpo(settings, logged) + (router * logged["aux_loss"] if router else 0.0)
    return None


def predict_dpo(settings: dict[str, Any], logged: dict[str, float]) -> float:
    """Return the weighted sum of the DPO losses at log-ratio 0, with the weighted NLL of the chosen answers."""
    names = loss_names(settings["loss_type"])
    weights = settings["loss_weights"] or [1.0] * len(names)
    loss = sum(weight * constant(name, settings["beta"]) for weight, name in zip(weights, names, strict=True))
    nll = settings["rpo_alpha"] * logged["nll_loss"] if settings["rpo_alpha"] else 0.0
    return float(loss + nll)


def constant(name: str, beta: float) -> float:
    """Return a DPO loss where all log-ratios are 0."""
    value = LOSSES[name].constant
    assert value, f"{name} is not a loss of rlhf_type dpo"
    return value(beta)


def predict_kto(settings: dict[str, Any]) -> float | None:
    """Return half the weight that desirable and undesirable answers share: both values and the KL term are 0."""
    if settings["desirable_weight"] != settings["undesirable_weight"]:
        return None
    return 0.5 * float(settings["desirable_weight"])
