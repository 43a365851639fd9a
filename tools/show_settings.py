"""Print the settings that a rule reads, as JSON for the option --settings of its script.

python -m tools.show_settings split_preferences
python -m tools.show_settings train_dpo experiments/mine.yaml
"""

import json
import sys
from pathlib import Path

from pipeline.settings.check import load_checked
from pipeline.settings.reads import READS, part_for
from pipeline.settings.stage import stage_parser


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("rule")
    parser.add_argument("overlays", type=Path, nargs="*", help="merged over config.yaml, in order")
    args = parser.parse_args(argv)
    if args.rule not in READS:
        sys.exit(f"{args.rule}: no such rule; there are: {', '.join(READS)}")
    print(json.dumps(part_for(args.rule, load_checked(args.overlays)), ensure_ascii=False))


if __name__ == "__main__":
    main()
