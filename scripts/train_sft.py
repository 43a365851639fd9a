"""Train a LoRA adapter on answers alone with `swift sft`, going on from the newest checkpoint of the same run.

envs/with-training python -m scripts.train_sft --model results/tiny/model … -- --learning_rate 0.0001 …
"""

import argparse

from pipeline.training.train_adapter import add_arguments, train_adapter


def main(argv: list[str] | None = None) -> None:
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    train_adapter("train_sft", parser.parse_args(argv), ["sft"], "none")


if __name__ == "__main__":
    main()
