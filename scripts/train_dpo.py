"""Train a LoRA adapter on preference pairs with `swift rlhf`, going on from the newest checkpoint of the same run.

envs/with-training python -m scripts.train_dpo --model results/tiny/model … -- --rlhf_type dpo --beta 0.1 …
"""

import argparse
import os
from pathlib import Path

from pipeline.training.train_adapter import add_arguments, train_adapter


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line; what follows `--` is in `flags`."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--sft-adapter", type=Path, help="adapter that the policy starts from and the reference has")
    parser.add_argument("--sft-manifest", type=Path, help="SHA-256 of its files")
    parser.add_argument("--fast", nargs="*", default=[], help="levers: names of files of plugins/fast")
    parser.add_argument("--reference", type=Path, help="folder for what the reference model says of pairs")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    if args.sft_adapter:
        adapter = str(args.sft_adapter)
        start = ["rlhf", "--adapters", adapter, "--ref_adapters", adapter]
        train_adapter(
            "train_dpo", args, start, f"{os.path.relpath(args.model)}, with the SFT adapter", args.sft_manifest
        )
    else:
        train_adapter("train_dpo", args, ["rlhf"], f"{os.path.relpath(args.model)}, without an adapter")


if __name__ == "__main__":
    main()
