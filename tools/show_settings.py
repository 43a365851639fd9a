"""Print the settings that a rule reads, as JSON for the option --settings of its script.

python -m tools.show_settings split_preferences
python -m tools.show_settings train_dpo experiments/mine.yaml
"""

import argparse
import json
import sys
from pathlib import Path

from pipeline.settings.check import CONFIG, check_config, load_config
from pipeline.settings.reads import READS, part_for


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rule")
    parser.add_argument("overlays", type=Path, nargs="*", help="merged over config.yaml, in order")
    args = parser.parse_args(argv)
    if args.rule not in READS:
        sys.exit(f"{args.rule}: no such rule; there are: {', '.join(READS)}")
    config = load_config(args.overlays)
    check_config(config, [CONFIG, *args.overlays])
    print(json.dumps(part_for(args.rule, config), ensure_ascii=False))


if __name__ == "__main__":
    main()
