"""Write the picture in README.md, from the graph that Snakemake builds of config.yaml: stages, and what they hand on.

python -m tools.document_graph            write it
python -m tools.document_graph --check    say whether it is stale, with exit status 1
"""

from collections.abc import Mapping
from pathlib import Path

from pipeline.files.generated_page import fill_parts, write_or_check
from pipeline.graph.list_jobs import open_graph

PAGE = Path(__file__).parents[1] / "README.md"
SHOWN = 3  # files of a stage
# What a reader looks for first; the others follow in the order of their names.
MAIN = ("pairs.jsonl", "adapter", "curves.jsonl", "merged", "predictions.jsonl", "metrics.json", "model_card.md")

Edges = Mapping[tuple[str, str], set[str]]


def list_edges() -> dict[tuple[str, str], set[str]]:
    """Return the names of the files that a stage (a file of rules/) reads of another."""
    with open_graph([], forceall=True) as graph:
        jobs = {job: Path(job.rule.snakefile).stem for job in graph.jobs}  # that of `all`: Snakefile
    makers = {str(file): stage for job, stage in jobs.items() for file in job.output}
    edges: dict[tuple[str, str], set[str]] = {}
    for job, stage in jobs.items():
        for file in map(str, job.input):
            if (maker := makers.get(file, stage)) != stage:
                edges.setdefault((maker, stage), set()).add(Path(file).name)
    return edges


def reaches(edges: Edges, start: str, end: str) -> bool:
    """Say whether a stage leads to another, directly or by others."""
    return any(to == end or reaches(edges, to, end) for begin, to in edges if begin == start)


def direct_edges(edges: Edges) -> list[tuple[str, str]]:
    """Return the edges without those that a longer way says, too."""
    return sorted(
        (start, end)
        for start, end in edges
        if not any(to != end and reaches(edges, to, end) for begin, to in edges if begin == start)
    )


def describe_stage(stage: str, edges: Edges) -> str:
    """Return a stage's box, with the main files that others read of it."""
    files = {name for (start, _), names in edges.items() if start == stage for name in names}
    files -= {name for name in files if name.endswith(".sha256")}
    shown = sorted(files, key=lambda name: (MAIN.index(name) if name in MAIN else len(MAIN), name))[:SHOWN]
    return f'    {stage}["<b>{stage}</b>{"".join(f"<br/>{name}" for name in shown)}"]'


def draw(edges: Edges) -> list[str]:
    """Return the picture as lines of Mermaid, which GitHub draws."""
    stages = sorted({start for start, _ in edges})
    boxes = [describe_stage(stage, edges) for stage in stages]
    arrows = [f"    {start} --> {end}" for start, end in direct_edges(edges) if end in stages]
    return ["```mermaid", "flowchart LR", *boxes, *arrows, "```"]


def render() -> str:
    """Return the whole page."""
    return fill_parts(PAGE, {"graph": draw(list_edges())})


if __name__ == "__main__":
    write_or_check(PAGE, render(), __doc__)
