"""Send a run's tuned model, with its card, to a model hub; without --send, say what would be sent.

    envs/with-training python -m tools.push_model --run tiny --to org/name

HF_ENDPOINT names another hub than Hugging Face's. The token is HF_TOKEN, or that of `hf auth login`.
"""

import sys
from pathlib import Path

from pipeline.publishing.hub_upload import HUB_NAME, describe_files, find_files, send_files
from pipeline.settings.stage import stage_parser


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__, settings=False)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--to", required=True, help="place on the hub: org/name")
    parser.add_argument("--public", action="store_true", help="let everybody read it; without this, it is private")
    parser.add_argument("--send", action="store_true", help="send it")
    args = parser.parse_args(argv)
    if not HUB_NAME.fullmatch(args.to):
        sys.exit(f"TO={args.to}: not a place on a hub; write TO=org/name")
    files = find_files(args.results, args.run)
    print(f"{args.results / args.run} as {args.to}, {'public' if args.public else 'private'}:\n{describe_files(files)}")
    if not args.send:
        print("Nothing was sent: add SEND=1 to send it.")
        return
    print(f"Sent: {send_files(files, args.to, f'Run {args.run}', not args.public)}")


if __name__ == "__main__":
    main()
