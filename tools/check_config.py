"""Check settings against schemas/config.schema.yaml; each message names the key, the fault and the fix.

    python -m tools.check_config experiments/tutorial.yaml

Overlays are merged over config.yaml as Snakemake does it.
"""

from pathlib import Path

from pipeline.settings.check import load_checked
from pipeline.settings.stage import stage_parser


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("overlays", type=Path, nargs="*", help="merged over config.yaml, in order")
    load_checked(parser.parse_args(argv).overlays)
    print("The settings can be used.")


if __name__ == "__main__":
    main()
