"""Train a LoRA adapter on preference pairs with `swift rlhf`, going on from the newest checkpoint of the same run.

envs/with-training python -m scripts.train_dpo --settings "$(python -m tools.show_settings train_dpo)" \
    --model results/tiny/model --manifest results/tiny/model.sha256 \
    --pairs results/tiny/dpo/train.jsonl results/tiny/dpo/val.jsonl \
    --checkpoints mine/checkpoints --out mine/dpo
"""

from pathlib import Path

from pipeline.training.train_adapter import train_adapter
from pipeline.training.training import Training, training_parser


def read_training(argv: list[str] | None) -> Training:
    """Return the training that a command line asks for."""
    parser = training_parser(__doc__)
    say = "adapter that the policy starts from and the reference has; its manifest is <folder>.sha256"
    parser.add_argument("--sft-adapter", type=Path, metavar="FOLDER", help=say)
    say = "what the reference model says of pairs, kept for all trainings; used with train.fast.cached_reference"
    parser.add_argument("--reference", type=Path, metavar="FOLDER", help=say)
    return Training("train_dpo", **vars(parser.parse_args(argv)))


def main(argv: list[str] | None = None) -> None:
    train_adapter(read_training(argv))


if __name__ == "__main__":
    main()
