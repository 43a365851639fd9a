"""Write dvc.yaml from Snakemake's graph, the only place where the graph is written.

python -m tools.write_dvc_yaml                                      of config.yaml
python -m tools.write_dvc_yaml --check                              say whether it is stale, with exit status 1
python -m tools.write_dvc_yaml --experiment experiments/mine.yaml   of config.yaml under an overlay
"""

import sys
from pathlib import Path

from pipeline.files.generated_page import show_difference
from pipeline.publishing.dvc_yaml import DVC_YAML, render
from pipeline.settings.stage import stage_parser


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--experiment", type=Path, help="an overlay of config.yaml")
    args = parser.parse_args(argv)
    text = render([args.experiment] if args.experiment else [])
    if not args.check:
        DVC_YAML.write_text(text, encoding="utf-8")
    elif difference := show_difference(DVC_YAML, text):
        sys.exit(f"{difference}dvc.yaml: stale; run: make dvc.yaml")


if __name__ == "__main__":
    main()
