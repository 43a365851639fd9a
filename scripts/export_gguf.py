"""Write the tuned model as GGUF, for llama.cpp, Ollama and LM Studio.

    envs/with-serving python -m scripts.export_gguf \
        --settings "$(python -m tools.show_settings export_gguf)" \
        --model results/tiny/merged --manifest results/tiny/merged.sha256 \
        --val results/tiny/dpo/val.jsonl --name tiny --out results/tiny/export

It writes tiny.gguf, a Modelfile for Ollama, and gates.json. A packed model (MXFP4) stays packed, with the same blocks
and scales; one in bfloat16 stays in bfloat16. No code of the model's folder is run, and nothing is fetched.
"""

import argparse
import os
import sys
from pathlib import Path

from pipeline.export.chat_template import freeze_template
from pipeline.export.modelfile import write_modelfile
from pipeline.export.split_pattern import find_split_problem
from pipeline.files.disk_space import require_space
from pipeline.gates import require_gates, write_gates
from pipeline.launch.run_swift import OFFLINE
from pipeline.models.model_folder import find_model_problem
from pipeline.models.model_gate import gates_of_model
from pipeline.models.model_weights import CONFIG, read_object
from pipeline.settings.stage import stage_parser

GATES, MODELFILE = "gates.json", "Modelfile"
TAKEN = "the GGUF takes {:.1f} GiB"
# llama.cpp has them in its code, and a GGUF has no place for others.
FIXED = {"swiglu_alpha": 1.702, "swiglu_limit": 7.0}


def find_problem(model: Path) -> str | None:
    """Return in one line why a model cannot be written as GGUF; None if it can."""
    if problem := find_model_problem(model) or find_split_problem(model):
        return problem
    config = read_object(model / CONFIG)
    for name, value in FIXED.items():
        if config.get(name, value) != value:
            return (
                f"{model / CONFIG}: {name} is {config[name]}, and llama.cpp has {value} alone; set export.gguf: false"
            )
    return None


def write_export(args: argparse.Namespace, template: str) -> None:
    """Write the GGUF, its gates behind those of the files, and the Modelfile; stop with one line if one fails."""
    from pipeline.export.convert import convert  # slow, and in the serving environment only
    from pipeline.export.gguf_gates import judge_gguf

    gates, file, prompt = args.out / GATES, args.out / f"{args.name}.gguf", args.settings["prompt"]
    try:
        convert(args.model, args.name, template, file)
        seen = judge_gguf(file, args.model, template, args.val, prompt)
        write_gates(gates, [*gates_of_model(args.model, args.manifest, None), *seen])
        require_gates(gates)
    except BaseException:  # a gate that failed is a SystemExit
        file.unlink(missing_ok=True)
        raise
    (args.out / MODELFILE).write_text(write_modelfile(file.name, prompt), encoding="utf-8")


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line."""
    parser = stage_parser(__doc__, out="the GGUF, the Modelfile and gates.json")
    parser.add_argument("--model", type=Path, required=True, help="folder of the tuned model")
    parser.add_argument("--manifest", type=Path, required=True, help="the model's manifest")
    parser.add_argument("--val", type=Path, required=True, help="held-out pairs; the first few are used as probes")
    parser.add_argument("--name", required=True, help="name of the model, and of the file without .gguf")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    os.environ.update(OFFLINE)
    if problem := find_problem(args.model):
        sys.exit(problem)
    try:
        template = freeze_template(args.model, args.settings["prompt"])
    except ValueError as error:
        sys.exit(str(error))
    args.out.mkdir(parents=True, exist_ok=True)
    write_gates(args.out / GATES, gates_of_model(args.model, args.manifest, None))
    require_gates(args.out / GATES)
    (args.out / MODELFILE).unlink(missing_ok=True)
    require_space(sum(path.stat().st_size for path in args.model.glob("*.safetensors")), args.out, TAKEN)
    write_export(args, template)


if __name__ == "__main__":
    main()
