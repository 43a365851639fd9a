"""The section of a model card on serving the model."""

from typing import Any

from pipeline.serving.address import LOOPBACK, TUNED, write_curl

ADDRESS = f"http://{LOOPBACK}:8000"  # the port of `make serve`, and of vLLM


def serving_text(run: str, settings: dict[str, Any], system: str | None, packed: bool) -> str:
    """Return how the model is served, and a command that asks it, with the prompt of its training."""
    date = settings["prompt"]["date"]
    turns = [{"role": "system", "content": system}] if system else []
    asked = {
        "model": TUNED,
        "messages": [*turns, {"role": "user", "content": "Hello"}],
        "reasoning_effort": settings["prompt"]["reasoning_effort"],
    }
    form = "packed (MXFP4), as gpt-oss is published" if packed else "in bfloat16"
    own = settings["model"]["folder"] is None  # with a vocabulary of its own, which vLLM's chat endpoint does not read
    vllm = (
        ""
        if own
        else f"; so does vLLM, with which this project has served a small model, in this folder: "
        f"`VLLM_SYSTEM_START_DATE={date} vllm serve . --served-model-name {TUNED} --host {LOOPBACK}`"
    )
    return (
        f"The weights are {form}. In the project's repository `make serve RUN={run}` serves them to OpenAI's clients"
        f"{vllm}. Then:\n\n```sh\n{write_curl(ADDRESS, asked, with_key=False)}\n```\n\n"
        "The date, the effort and the system message are those of the training: a server that writes others asks the "
        "model something that it was not trained on. Other servers: `docs/serving.md` in the repository."
    )
