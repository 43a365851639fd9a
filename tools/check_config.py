"""Check settings against schemas/config.schema.yaml; each message names the key, the fault and the fix.

    python -m tools.check_config experiments/tutorial.yaml

Overlays are merged over config.yaml as Snakemake does it.
"""

import argparse
from pathlib import Path

from pipeline.settings.check import CONFIG, check_config, load_config


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("overlays", type=Path, nargs="*", help="merged over config.yaml, in order")
    args = parser.parse_args(argv)
    check_config(load_config(args.overlays), [CONFIG, *args.overlays])
    print("The settings can be used.")


if __name__ == "__main__":
    main()
