"""Write the tables of docs/performance.md from the measurements in benchmarks/results/*.json.

python -m benchmarks.document_performance            write them
python -m benchmarks.document_performance --check    say whether they are stale, with exit status 1
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.speed.rows import ROWS, computed_share, count_passes, find_limit
from pipeline.files.generated_page import fill_parts, write_or_check
from pipeline.files.tables import markdown_table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "benchmarks" / "results"
TUTORIAL, PLAIN = "the tutorial's flags", "without DeepSpeed"
COLUMNS = [
    *("", "tokens/s", "x tutorial", "x no DeepSpeed", "passes", "tokens computed", "of the limit"),
    *("s a step", "first step, s", "GiB", "gradient", "losses of steps 1 to 5"),
]
# The same training on more and more GPUs: what it is called on one, and with which mode on several.
SCALED = {
    "the tutorial's flags (ZeRO-3)": (TUTORIAL, "ZeRO-3"),
    "the same, checkpointing reentrantly": (TUTORIAL, "ZeRO-3, reentrant"),
    "the same, ZeRO-2": ("ZeRO-2", "ZeRO-2"),
    "the same, data parallel": (PLAIN, "data parallel"),
    "recipe without levers, ZeRO-3": ("", "recipe without levers, ZeRO-3"),
    "recipe, ZeRO-2": ("", "recipe, ZeRO-2"),
    "recipe, data parallel": ("recipe, reference in the step", "recipe, data parallel"),
}


def read(name: str) -> Any:
    """Return the contents of a file of results."""
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def describe_row(row: dict[str, Any], speeds: dict[str, float]) -> list[str]:
    """Return a row of the table of one GPU."""
    speed, short = row["useful_tokens_per_s"], "8192" not in row["name"]
    times = [f"{speed / speeds[name]:.1f}" if short else "" for name in (TUTORIAL, PLAIN)]
    losses = " ".join(f"{loss:.4f}" for loss in row["losses"][:5])
    taken = [f"{row['seconds_per_step']:.2f}", f"{row['first_step_seconds']:.0f}", f"{row['peak_gib']:.1f}"]
    cosine, trained = row.get("gradient_cosine"), ROWS[row["name"]]
    return [
        row["name"],
        f"{speed:,}",
        *times,
        str(count_passes(row["name"], trained)),
        f"{computed_share(trained):.0%}",
        f"{speed / find_limit(row['name'], trained):.0%}",
        *taken,
        f"{cosine:.2f}" if cosine else "",
        losses,
    ]


def tabulate_one(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of the rows of one GPU."""
    speeds = {row["name"]: row["useful_tokens_per_s"] for row in rows}
    return markdown_table(COLUMNS, [describe_row(row, speeds) for row in rows])


def tabulate_several(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of the same trainings on one GPU, two and four."""
    by_name = {row["name"]: row for row in rows}
    lines = []
    for said, (one, many) in SCALED.items():
        found = [by_name.get(name) for name in (one, f"{many}, 2 GPUs", f"{many}, 4 GPUs")]
        alone = found[0]["useful_tokens_per_s"] if found[0] else None
        line = [said, f"{alone:,}" if alone else ""]
        for row in found[1:]:
            speed = row["useful_tokens_per_s"] if row else None
            line += [f"{speed:,}" if speed else "", f"{speed / alone:.2f}" if speed and alone else ""]
        last = next(row for row in reversed(found) if row)
        lines.append([*line, f"{last['seconds_per_step']:.2f}", f"{last['peak_gib']:.1f}", f"{last['card_gib']:.1f}"])
    head = ["tokens/s on", "1", "2", "x", "4", "x", "s a step, on the most", "GiB", "GiB of the card"]
    return markdown_table(head, lines)


def tabulate_packed(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of rows over packed experts, each beside the same row over bfloat16, where that was measured."""
    speeds = {row["name"]: row["useful_tokens_per_s"] for row in rows}
    lines = []
    for row in rows:
        speed, plain = row["useful_tokens_per_s"], speeds.get(row["name"].replace("packed", "bfloat16", 1))
        lines.append(
            [
                row["name"],
                f"{speed:,}",
                f"{speed / plain:.2f}" if plain and row["name"].startswith("packed") else "",
                *(f"{row['seconds_per_step']:.2f}", f"{row['first_step_seconds']:.0f}", f"{row['peak_gib']:.1f}"),
                " ".join(f"{loss:.4f}" for loss in row["losses"][:5]),
            ]
        )
    head = ["", "tokens/s", "x bfloat16", "s a step", "first step, s", "GiB", "losses of steps 1 to 5"]
    return markdown_table(head, lines)


def tabulate_answers(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of inference."""
    first = rows[0]["seconds"]
    lines = [
        [
            str(row["prompts_at_once"] or "all, vLLM"),
            f"{row['tokens'] / row['seconds']:.0f}",
            f"{first / row['seconds']:.1f}",
            f"{row['same_answers']} of {row['prompts']}",
        ]
        for row in rows
    ]
    return markdown_table(["prompts at once", "tokens/s", "x", "answers as one at a time"], lines)


def tabulate_losses(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of losses and gradients beside float32's."""
    lines = [
        [
            row["name"],
            f"{cosine:.6f}" if (cosine := row["gradient_cosine"]) else "",
            f"{row['mean_apart']:.3f}",
            str(len(row["losses"])),
            " ".join(f"{loss:.4f}" for loss in row["losses"][:6]),
        ]
        for row in rows
    ]
    return markdown_table(["", "gradient", "mean distance of losses", "steps", "losses of steps 1 to 6"], lines)


def tabulate_stages(graph: dict[str, Any]) -> list[str]:
    """Return the table of the whole graph's stages."""
    lines = [
        [row["stage"], str(row["seconds"]), f"{row['memory_gib']:g}", f"{row['gpu_memory_gib'] or ''}"]
        for row in graph["stages"]
    ]
    return markdown_table(["stage", "seconds", "memory, GiB", "of the GPU, GiB"], lines)


def tabulate_packed_stages(graphs: dict[str, Any]) -> list[str]:
    """Return the table of the stages of two graphs over packed weights, side by side."""
    columns = ("seconds", "loading_seconds", "loading_memory_gib", "gpu_memory_gib")
    found = [{row["stage"]: row for row in graph["stages"]} for graph in graphs["runs"]]
    lines = [[name, *(f"{rows.get(name, {}).get(c, '')}" for c in columns for rows in found)] for name in found[0]]
    said = ("seconds", "of them loading", "memory for it, GiB", "of the GPU, GiB")
    return markdown_table(["stage", *(f"{name}, {size}" for name in said for size in ("20b", "120b"))], lines)


def tabulate_vllm(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of what vLLM makes of a tuned model."""
    lines = [
        [
            row["row"],
            *(f"{row[name]} of {row['prompts']}" for name in ("equal_prompts", "finals", "same_finals")),
            f"{row['logp_apart_mean']:.3f}, at most {row['logp_apart_most']:.2f}",
        ]
        for row in rows
    ]
    head = ["served", "prompts of training", "with a final", "final of `swift infer`", "log-probability, nats apart"]
    return markdown_table(head, lines)


def main(argv: list[str] | None = None) -> None:
    rows, answers = read("training_speed.json"), read("inference_speed.json")
    packed = read("packed_training.json")
    machines = list(dict.fromkeys(row["machine"] for row in rows))
    one: list[str] = []
    for machine in machines:
        alone = [row for row in rows if row["machine"] == machine and row["gpus"] == 1]
        one += [f"{machine}:", "", *tabulate_one(alone), ""]
    parts = {
        "one GPU": one[:-1],
        "several GPUs": [f"{machines[0]}:", "", *tabulate_several([r for r in rows if r["machine"] == machines[0]])],
        "packed": [f"{packed[0]['machine']}:", "", *tabulate_packed(packed)],
        "answers": [f"One {answers[0]['machine']}:", "", *tabulate_answers(answers)],
        "losses": tabulate_losses(read("training_losses.json")),
        "vllm": tabulate_vllm(read("vllm_answers.json")),
        "packed stages": tabulate_packed_stages(read("packed_graph.json")),
        "stages": tabulate_stages(read("whole_graph.json")),
    }
    write_or_check(PAGE, fill_parts(PAGE, parts), __doc__, argv)


if __name__ == "__main__":
    main()
