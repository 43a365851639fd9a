"""Draw the pictures of README.md from the published results: the end of `make`, a curve, and the top of the report.

    dvc pull && python -m tools.draw_pictures           draw them; needs Debian's chromium and fonts-noto-cjk
    dvc pull && python -m tools.draw_pictures --check   say which are stale, with exit status 1

A screenshot has other bytes on another machine. So the hash of the report that it shows is kept beside it.
"""

import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pipeline.files.known_hashes import file_sha256
from pipeline.settings.stage import stage_parser

RUN = Path("results/tiny")
PICTURES = Path("docs/pictures")
REPORT = RUN / "report.html"
SHOWN_REPORT = PICTURES / "report.sha256"
COLUMNS = 130
SIZE = "1100,820"  # pixels


def draw_texts() -> dict[Path, str]:
    """Return the pictures that are the same on every machine, and the hash of the report."""
    # Of results that DVC has brought, make would list fewer.
    terminal = {PICTURES / "make.svg": draw_terminal()} if (RUN / "logs").is_dir() else {}
    return terminal | {
        PICTURES / "reward_accuracy.svg": (RUN / "plots" / "reward_accuracy.svg").read_text(encoding="utf-8"),
        SHOWN_REPORT: f"{file_sha256(REPORT)}  {REPORT}\n",
    }


def draw_terminal() -> str:
    """Return a picture of a terminal with what `make` prints at its end."""
    command = [sys.executable, "-m", "tools.show_results", "--run", RUN.name]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ make", style="bold green"))
    for line in printed.splitlines():
        console.print(Text(line), no_wrap=True, overflow="ellipsis")
    drawn = console.export_svg(title="from pairs to a tuned model, on a laptop", unique_id="make")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)  # rich names a font on the web


def take_screenshot(page: Path, picture: Path) -> None:
    """Let Chromium draw the top of a page."""
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=3000"]
        places = [f"--user-data-dir={profile}", f"--window-size={SIZE}", f"--screenshot={picture.resolve()}"]
        command = ["chromium", *options, *places, page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True)


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--check", action="store_true", help="change nothing")
    args = parser.parse_args(argv)
    if not REPORT.is_file():
        sys.exit(f"{REPORT}: no such file; run: dvc pull")
    drawn = draw_texts()
    stale = [path for path, text in drawn.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if args.check:
        sys.exit(f"{', '.join(map(str, stale))}: stale; run: python -m tools.draw_pictures" if stale else None)
    if SHOWN_REPORT in stale:
        if not shutil.which("chromium"):
            sys.exit("chromium: not found; on Debian: apt-get install chromium fonts-noto-cjk")
        take_screenshot(REPORT, PICTURES / "report.png")
    for path in stale:
        path.write_text(drawn[path], encoding="utf-8")


if __name__ == "__main__":
    main()
