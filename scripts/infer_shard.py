"""Answer the held-out prompts of one shard with `swift infer`.

    envs/with-training python -m scripts.infer_shard \
        --settings "$(python -m tools.show_settings infer_shard)" \
        --model results/tiny/merged --manifest results/tiny/merged.sha256 \
        --val results/tiny/dpo/val.jsonl --shard 0 --answers results/tiny/infer/shards/0.jsonl

The prompts are dealt to infer.shards shards in turn, and each is asked infer.answers_per_prompt times. Beside the
answers it writes 0.gates.json, which says whether the model's files are those of their manifest.
"""

from pathlib import Path

from pipeline.evaluation.shards import gates_beside, take_shard
from pipeline.files.json_lines import read_json_lines, write_json_lines
from pipeline.gates import require_gates, write_gates
from pipeline.launch.claim_gpus import claim_gpus
from pipeline.launch.model_flags import model_flags
from pipeline.launch.plugins import INFERENCE, plugin_flags
from pipeline.launch.run_swift import CPU_THREADS, run_swift, swift_environment
from pipeline.models.model_gate import gates_of_model
from pipeline.models.render_chat import said_of
from pipeline.models.swift_rows import write_swift_rows
from pipeline.settings.flags import flag_words, infer_settings
from pipeline.settings.stage import stage_parser


def main(argv: list[str] | None = None) -> None:
    parser = stage_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--manifest", type=Path, required=True, help="the model's manifest")
    parser.add_argument("--adapter", type=Path, nargs="?", help="folder of an adapter, with its manifest beside it")
    parser.add_argument(
        "--val", type=Path, required=True, help="held-out pairs, whose prompts are answered, or prompts"
    )
    parser.add_argument("--shard", type=int, required=True, help="number of the shard, from 0")
    parser.add_argument("--answers", type=Path, required=True, help="file for the rows that swift writes")
    args = parser.parse_args(argv)
    infer, gates = args.settings["infer"], gates_beside(args.answers)

    write_gates(gates, gates_of_model(args.model, args.manifest, args.adapter))
    require_gates(gates)
    pairs = take_shard(read_json_lines(args.val), args.shard, infer["shards"])
    if not pairs:  # of fewer prompts than shards
        write_json_lines(args.answers, [])
        return
    claims = claim_gpus(infer["gpus"], "infer.gpus")
    prompts = args.answers.with_suffix(".prompts.jsonl")
    asked = [said_of(pair) for pair in pairs]
    write_swift_rows(prompts, (row for row in asked for _ in range(infer["answers_per_prompt"])))
    args.answers.unlink(missing_ok=True)  # swift would append to an existing file
    run_swift(
        [
            *("infer", *model_flags(args.model), "--val_dataset", str(prompts)),
            *("--result_path", str(args.answers), "--load_args", "false", "--strict", "true"),
            *(["--adapters", str(args.adapter)] if args.adapter else []),
            *flag_words(infer_settings(args.settings, args.shard)),
            *plugin_flags(INFERENCE),
        ],
        swift_environment(args.settings["prompt"], 0 if infer["gpus"] else CPU_THREADS, {}),
        open_files=claims,
    )
    prompts.unlink()


if __name__ == "__main__":
    main()
