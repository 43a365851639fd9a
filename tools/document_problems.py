"""Write the table of docs/problems.md from pipeline/preferences/problems.yaml.

python -m tools.document_problems            write it
python -m tools.document_problems --check    say whether it is stale, with exit status 1
"""

from pathlib import Path

from pipeline.files.generated_page import fill_parts, write_or_check
from pipeline.preferences.problems import PROBLEMS

PAGE = Path(__file__).parents[1] / "docs" / "problems.md"


def render() -> str:
    """Return the whole page."""
    rows = [f"| `{p.code}` | {p.severity} | {p.meaning} | {p.fix} |" for p in PROBLEMS.values()]
    head = ["| code | severity | what it means | what to do |", "| --- | --- | --- | --- |"]
    return fill_parts(PAGE, {"problems": [row.replace("<|", "<\\|").replace("|>", "\\|>") for row in (*head, *rows)]})


if __name__ == "__main__":
    write_or_check(PAGE, render(), __doc__)
