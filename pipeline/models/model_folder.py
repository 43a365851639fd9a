"""Find the problem of a folder that is not a model that can be tuned."""

import re
import shlex
from pathlib import Path

from pipeline.files.one_line import one_line
from pipeline.launch.model_flags import MODEL_TYPE, TEMPLATE
from pipeline.models.model_weights import CONFIG, FETCH_AGAIN, check_weights, read_object

GPT_OSS = ["GptOssForCausalLM"]
# The published models, by the names of their folders.
PUBLISHED = ("gpt-oss-20b", "gpt-oss-120b")
# Beside config.json, where they are there.
READ_BY_TRANSFORMERS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json")
# What a name on a hub looks like, and what a missing folder of models/ does not mean.
HUB_NAME = re.compile(r"(?!models/)[\w-][\w.-]*/[\w-][\w.-]*")


def find_model_problem(folder: Path) -> str | None:
    """Return in one line why the model in `folder` cannot be tuned; None if it can.

    Of the weights' files it reads the headers; what their numbers are, check_model looks at (weight_values.py).
    """
    if not folder.is_dir():
        return f"{folder}: no such folder; {say_how_to_fetch(folder)}"
    config = folder / CONFIG
    if not config.is_file():
        return f"{config}: missing; model.folder must name a model in Hugging Face's layout"
    try:
        settings = read_object(config)
        architectures = settings.get("architectures", [])
        if architectures != GPT_OSS:
            raise ValueError(
                f"{config}: architectures is {architectures}, not {GPT_OSS}; model.folder must name a gpt-oss"
            )
        if not (folder / "tokenizer.json").is_file():
            return f"{folder / 'tokenizer.json'}: missing; fetch the model's tokenizer too"
        if (adapter := folder / "adapter_config.json").is_file():  # transformers would load what it names instead
            return f"{adapter}: an adapter, in the model's folder; move it out, or set model.folder to a whole model"
        require_own_prompt(folder / "args.json")
        for name in READ_BY_TRANSFORMERS:
            if (folder / name).is_file():
                read_object(folder / name)
        check_weights(folder, settings)
    except ValueError as error:
        return one_line(str(error))
    except OSError as error:
        return one_line(f"{error.filename or folder}: {error.strerror}; {FETCH_AGAIN}")
    return None


def require_own_prompt(path: Path) -> None:
    """Raise ValueError, in one line, if ms-swift's record of another training names another kind of model.

    No stage reads it, but ms-swift copies it into the merged model, and would take its template there.
    """
    said = read_object(path) if path.is_file() else {}
    for name, own in (("model_type", MODEL_TYPE), ("template", TEMPLATE)):
        if said.get(name) not in (None, own):
            raise ValueError(
                f"{path}: {name} is {said[name]!r}, not {own!r}: of another model; move it out of the folder"
            )


def say_how_to_fetch(folder: Path) -> str:
    """Return the fix for a missing folder: for a model on a hub, the command that downloads it."""
    if HUB_NAME.fullmatch(folder.as_posix()) and not Path(folder.parts[0]).exists():
        name, target = folder.as_posix(), f"models/{folder.name}"
    elif folder.name in PUBLISHED:
        name, target = f"openai/{folder.name}", folder.as_posix()
    else:
        return "put gpt-oss there in Hugging Face's layout, or set model.folder"
    command = f'hf download {name} --exclude "original/*" --exclude "metal/*" --local-dir {shlex.quote(target)}'
    setting = "" if target == folder.as_posix() else f", and set model.folder to {target}"
    return f"run `envs/with-training {command}`{setting}"
