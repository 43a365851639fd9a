"""Say what ms-swift makes of pairs before it trains: their tokens, and the order in which each process takes them.

    .venv-fidelity/bin/python -m tests.runs.fidelity.trace_pairs MODEL PAIRS.jsonl PROCESSES OUT.json

It runs under 3.7.0 and under the pinned release, whose modules have other names, with their defaults for what is
shuffled and with the tutorial's loss_scale. OUT.json holds `tokens` (a row a pair: ids and labels of both answers),
`shuffled` (places in PAIRS.jsonl, as they stand in the data set), and `order` (the same, a list for each process).
"""

import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import PropertyMock, patch

SEED = 42  # data_seed's default in both releases
ANSWERS = ("chosen_input_ids", "chosen_labels", "rejected_input_ids", "rejected_labels")


def load_release() -> tuple[Any, Any, Any]:
    """Return the release's template loader (of a model folder), its load_dataset, and its sampler."""
    try:
        from swift.llm import get_model_tokenizer, get_template, load_dataset
        from swift.llm.data_loader import BatchSamplerShard

        def load_template(model: str, **settings: Any) -> Any:
            return get_template("gpt_oss", get_model_tokenizer(model, load_model=False)[1], **settings)

    except ModuleNotFoundError:
        from swift.dataloader import BatchSamplerShard
        from swift.dataset import load_dataset

        from pipeline.models.render_chat import load_template as load_ours

        def load_template(model: str, **settings: Any) -> Any:
            return load_ours(Path(model), {"date": "2025-08-06", "reasoning_effort": "medium"}, **settings)

    return load_template, load_dataset, BatchSamplerShard


def encode(template: Any, pair: dict[str, Any]) -> list[list[int]]:
    """Return the token ids and labels of both answers."""
    encoded = template.encode({"messages": pair["messages"], "rejected_response": pair["rejected_response"]})
    return [list(encoded[name]) for name in ANSWERS]


def list_order(shuffled: list[int], sampler: Any, processes: int) -> list[list[int]]:
    """Return for each process the places of its pairs, in the order of the first epoch."""
    order = []
    for rank in range(processes):
        with (
            patch.object(sampler, "rank", new_callable=PropertyMock, return_value=rank),
            patch.object(sampler, "world_size", new_callable=PropertyMock, return_value=processes),
        ):
            batches = list(sampler(len(shuffled), batch_size=2, shuffle=True, drop_last=False, data_seed=SEED))
        order.append([shuffled[row] for batch in batches for row in batch])
    return order


def texts(messages: list[dict[str, str]]) -> tuple[str, ...]:
    """Return the texts by which a pair is recognised."""
    return tuple(message["content"] for message in messages)


def main() -> None:
    model, file, processes, out = sys.argv[1:]
    load_template, load_dataset, sampler = load_release()
    template = load_template(model, loss_scale="ignore_empty_think")
    template.set_mode("rlhf")
    pairs = [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]
    tokens = [encode(template, pair) for pair in pairs]
    dataset = load_dataset([file], seed=SEED, shuffle=True, load_from_cache_file=False)[0]
    places = {texts(pair["messages"]): place for place, pair in enumerate(pairs)}
    shuffled = [places[texts(row["messages"])] for row in dataset]
    found = {"tokens": tokens, "shuffled": shuffled, "order": list_order(shuffled, sampler, int(processes))}
    Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
