"""Who may ask a server and with how much: all else is refused in OpenAI's form before its meaning is looked at."""

import re
import secrets
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from pipeline.preferences.problems import PROBLEMS
from pipeline.preferences.strict_json import parse_strictly
from pipeline.serving.address import KEY_VARIABLE

# A page in a browser can have its own name lead here; only its requests still say that name.
OWN_NAMES = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d*)?", re.IGNORECASE)
WITHOUT_KEY = "/health"
MOST_MIB = 4  # of a request: the longest prompt of gpt-oss, in the longest way to write it as JSON, is shorter
UNAUTHORIZED, MISDIRECTED, TOO_LARGE, OTHER_TYPE, FAULTY = 401, 421, 413, 415, 400


class Door:
    """Stands before a server. `key`: that of each request, None without one. `local`: for this machine alone."""

    def __init__(self, app: Any, key: str | None, local: bool) -> None:
        self.app, self.key, self.local = app, key, local

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or answer it with its refusal."""
        refusal = self.refuse(scope["path"], Headers(scope=scope)) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def refuse(self, path: str, headers: Headers) -> JSONResponse | None:
        """Return the refusal of a request, None if it is let in."""
        names = headers.getlist("host")
        if self.local and not (names and all(map(OWN_NAMES.fullmatch, names))):
            said = f"Host {', '.join(names) or '(none)'}: this server is for its own machine; ask it as 127.0.0.1"
            return write_error(MISDIRECTED, said)
        if self.key and path != WITHOUT_KEY and not self.has_key(headers.get("authorization", "")):
            said = f"no key, or another one; send that of {KEY_VARIABLE}, as in: Authorization: Bearer …"
            return write_error(UNAUTHORIZED, said, "invalid_api_key")
        return None

    def has_key(self, authorization: str) -> bool:
        """Say whether a request brings the key; headers are read as Latin-1, whatever they hold."""
        assert self.key
        return secrets.compare_digest(authorization.encode("latin-1"), f"Bearer {self.key}".encode())


def write_error(status: int, message: str, code: str | None = None) -> JSONResponse:
    """Return a refusal in OpenAI's form."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status)


async def write_refusal(request: Request, error: HTTPException) -> JSONResponse:
    """Return the refusal that an exception of the server's means."""
    unknown = f"{request.url.path}: not an address of this server; ask /v1/chat/completions or /v1/models"
    return write_error(error.status_code, unknown if error.detail == "Not Found" else error.detail)


async def read_body(request: Request) -> Any:
    """Return the value that a request brings as JSON; a body that is too large is not read to its end."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(OTHER_TYPE, "the request is not JSON by its head; send Content-Type: application/json")
    length, body = request.headers.get("content-length", ""), bytearray()
    require_room(int(length) if length.isdecimal() else 0)
    try:
        async for part in request.stream():
            body += part
            require_room(len(body))
    except ClientDisconnect:
        raise HTTPException(FAULTY, "the request broke off") from None
    value, fault = parse_strictly(bytes(body))
    if fault:
        wrong = fault.detail or PROBLEMS[fault.code].meaning
        raise HTTPException(FAULTY, f"the request is not plain JSON: {wrong}; correct it")
    return value


def require_room(size: int) -> None:
    """Refuse a request of more bytes than are read."""
    if size > MOST_MIB << 20:
        raise HTTPException(TOO_LARGE, f"the request has more than {MOST_MIB} MiB; send a shorter one")
