"""Train a LoRA adapter on answers alone with `swift sft`, going on from the newest checkpoint of the same run.

envs/with-training python -m scripts.train_sft --settings "$(python -m tools.show_settings train_sft)" \
    --model results/tiny/model --manifest results/tiny/model.sha256 \
    --pairs results/tiny/sft/train.jsonl results/tiny/sft/val.jsonl \
    --checkpoints mine/checkpoints --out mine/sft
"""

from pipeline.training.train_adapter import train_adapter
from pipeline.training.training import Training, training_parser


def main(argv: list[str] | None = None) -> None:
    train_adapter(Training("train_sft", **vars(training_parser(__doc__).parse_args(argv))))


if __name__ == "__main__":
    main()
