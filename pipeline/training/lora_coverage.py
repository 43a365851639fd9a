"""Which parts of a model a LoRA trains: the table lora_coverage.csv."""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

LAYER = re.compile(r"\.layers\.(\d+)\.")
COLUMNS = ("module", "layers", "parameters", "experts")

Row = dict[str, Any]


def wrapped_parts(model: Any) -> Iterator[tuple[str, int, int]]:
    """Yield (part of a layer, layer, trained parameters) for each part of a peft model that has a trained LoRA.

    A linear module is named as it is (`self_attn.q_proj`), a bare parameter by its module and name
    (`mlp.experts.down_proj`). Parameters are counted whole where ZeRO-3 has dealt them out.
    """
    from peft.tuners.lora.layer import LoraLayer

    for path, module in model.named_modules():
        if not isinstance(module, LoraLayer):
            continue
        own = [p for name, p in module.named_parameters() if "base_layer" not in name and p.requires_grad]
        count = sum(getattr(parameter, "ds_numel", parameter.numel()) for parameter in own)
        layer = LAYER.search(path)
        if count and layer:
            part = path[layer.end() :].replace(".base_layer", "")
            parameter_name = getattr(module, "parameter_name", None)
            yield (f"{part}.{parameter_name}" if parameter_name else part), int(layer[1]), count


def tabulate(parts: Iterable[tuple[str, int, int]]) -> list[Row]:
    """Return a row for each part: in how many layers it is trained, with how many parameters; experts or not."""
    rows: dict[str, Row] = {}
    for part, _, count in sorted(parts):
        row = rows.setdefault(part, dict.fromkeys(COLUMNS, 0) | {"module": part})
        row["layers"] += 1
        row["parameters"] += count
        row["experts"] = "yes" if "experts" in part.split(".") else "no"
    return list(rows.values())


def find_uncovered(rows: list[Row], targets: list[str], layers: int) -> list[str]:
    """Return which of the targets do not have a LoRA in each of the layers; targets are ends of parts' names."""
    found = {target: sum(r["layers"] for r in rows if f".{r['module']}".endswith(f".{target}")) for target in targets}
    return [target for target, count in found.items() if count < layers]


def describe_coverage(rows: list[Row], layers: int) -> str:
    """Return the table in a line."""
    parts = [f"{row['module'].rpartition('.')[2]} in {row['layers']}" for row in rows]
    experts = "with experts" if any(row["experts"] == "yes" for row in rows) else "without experts"
    return f"{', '.join(parts) or 'nothing'} of {layers} layers, {experts}"


def write_coverage(path: Path, rows: list[Row]) -> None:
    """Write the table as CSV."""
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
