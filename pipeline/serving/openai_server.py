"""`swift deploy` as this project uses it: ms-swift's server, with harmony's channels apart, and one adapter at a time.

It is imported after the environment has what plugins/harmony.py reads.
"""

import logging
import socket
from types import MethodType
from typing import Any

import torch
import uvicorn
from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from swift.pipelines.infer.deploy import SwiftDeploy

from pipeline.models.channels import split_channels
from pipeline.serving.address import is_local
from pipeline.serving.channel_stream import ChannelStream
from pipeline.serving.door import FAULTY, Door, read_body, write_error, write_refusal
from pipeline.serving.openai_requests import find_problem, read_request
from pipeline.serving.served_run import ServedRun

GRACE = 1  # seconds for open connections after Ctrl-C


class HarmonyServer(SwiftDeploy):  # type: ignore[misc]
    """ms-swift's server of one model and its adapters, with the routes that a chat needs."""

    def __init__(self, served: ServedRun, key: str | None, local: bool) -> None:
        self.key, self.local, self.system = key, local, served.system
        self.jsonl_writer = None
        super().__init__(served.flags())
        self.infer_engine.own_name = served.name
        self.infer_engine._get_adapter_names = MethodType(choose_adapter, self.infer_engine)

    def _register_app(self) -> None:
        """Register the routes, and no other: all of them read text alone, and none names a file or an address."""
        self.app.router.routes.clear()
        self.app.get("/health")(self.health)
        self.app.get("/v1/models")(self.get_available_models)
        self.app.post("/v1/chat/completions")(self.answer)
        self.app.exception_handler(HTTPException)(write_refusal)

    def _install_auth_middleware(self) -> None:
        """Ask for the key. It does not come as a flag, since every user of the machine sees those."""
        self.app.add_middleware(Door, key=self.key, local=self.local)

    @staticmethod
    def create_error_response(status_code: int, message: str) -> JSONResponse:
        """Return a refusal; ms-swift's own form is not OpenAI's."""
        return write_error(int(status_code), message)

    async def answer(self, raw_request: Request) -> Any:
        """Answer a request, or say which part of it is not known here."""
        body = await read_body(raw_request)
        if problem := find_problem(body):
            return write_error(FAULTY, problem)
        request = read_request(body)
        if self.system and request.messages[0]["role"] != "system":
            request.messages.insert(0, {"role": "system", "content": self.system})
        return await self.create_chat_completion(request, raw_request)

    def _post_process(self, request_info: dict[str, Any], response: Any, return_cmpl_response: bool = False) -> Any:
        """Put the final of an answer, or of a part of it, into `content`, and the rest into `reasoning_content`."""
        for choice in response.choices:
            if hasattr(choice, "delta"):
                stream = request_info.setdefault("channels", ChannelStream())
                said = stream.add(choice.delta.content or "", choice.finish_reason is not None)
                choice.delta.reasoning_content, choice.delta.content = (text or None for text in said)
            else:
                choice.message.reasoning_content, choice.message.content = split_channels(choice.message.content)
        return super()._post_process(request_info, response, return_cmpl_response)


@torch.inference_mode()  # type: ignore[untyped-decorator]
def choose_adapter(engine: Any, request: Any) -> None:
    """Switch the adapter of a request on, or all off for the model itself, in the place of ms-swift's own function.

    That would have peft choose for each row of a batch, which a LoRA of experts cannot do; but ms-swift puts requests
    for one model together, and answers one batch after the other.
    """
    engine.model_name = engine.own_name if request is None else request.name  # in the answer
    if request is not None and request.name not in engine._adapters_pool:
        engine._add_adapter(request.path, request.name)
        engine._adapters_pool[request.name] = request
    if request is not None:
        engine.model.enable_adapter_layers()
        engine.model.set_adapter(request.name)
    elif engine._adapters_pool:
        engine.model.disable_adapter_layers()


class AnnouncedServer(uvicorn.Server):  # type: ignore[misc]
    """Says that it listens, once it does, and at its end nothing of answers that were not whole."""

    def __init__(self, app: Any, words: str) -> None:
        super().__init__(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=GRACE))
        self.words = words

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets)
        print(self.words, flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: what is still open is cancelled, which uvicorn would show as errors."""
        logging.getLogger("uvicorn.error").disabled = True
        await super().shutdown(sockets)


def serve(served: ServedRun, key: str | None, listening: socket.socket, words: str) -> None:
    """Load the model, and answer on an open socket until Ctrl-C; `words` are said when it is ready."""
    AnnouncedServer(HarmonyServer(served, key, is_local(listening)).app, words).run(sockets=[listening])
