"""Ask a chat-completions server, with retries and a time limit; if it fails, explain why in one line.

The key is only in the Authorization header: it is removed from every text that the server returns.
"""

import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

TRIES = 6
PATIENT_TRIES = 3  # tries of a server that uses up the time limit
BACKOFF_SECONDS = 1.0  # then 2, 4, 8 and 16
LONGEST_WAIT_SECONDS = 120  # whatever Retry-After says
CONNECT_SECONDS = 10.0
BUSY = (408, 429, 500, 502, 503, 504)
NO_KEY = (401, 403)
SHOWN = 300  # characters of a server's own message
TOO_LONG = re.compile(r"context|too long|too large|maximum.{0,20}length", re.IGNORECASE)


class JudgeError(Exception):
    """Why the judge cannot go on, in one line."""


class PromptTooLong(Exception):
    """The prompt is too long for the server."""


@dataclass(frozen=True)
class Key:
    """A secret and the environment variable that holds it; None where the variable is not set."""

    variable: str
    secret: str | None = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the key into a request. As `auth` of requests, it also prevents a key from .netrc."""
        if self.secret:
            request.headers["Authorization"] = f"Bearer {self.secret}"
        return request

    def hide(self, text: str) -> str:
        """Return a text without the key."""
        return text.replace(self.secret, "[key]") if self.secret else text


def read_key(variable: str) -> Key:
    """Return the key of an environment variable; JudgeError if the value cannot be sent in a header."""
    secret = os.environ.get(variable, "").strip() or None
    if secret and not re.fullmatch(r"[!-~]+", secret):
        raise JudgeError(f"{variable}: holds what cannot be a key: a blank, a line end or a letter beyond ASCII")
    return Key(variable, secret)


@dataclass(frozen=True)
class Judge:
    """A model behind a server. `timeout` is in seconds without a byte from it."""

    url: str
    model: str
    key: Key
    timeout: float

    def ask(self, messages: list[dict[str, str]]) -> str:
        """Return the model's answer at temperature 0; "" if it has none.

        JudgeError if the server does not answer, PromptTooLong if this prompt is too long for it.
        """
        response = self.post({"model": self.model, "messages": messages, "temperature": 0})
        said = self.key.hide(response.text)
        if response.status_code in NO_KEY:
            was = "refuses the key in" if self.key.secret else "wants a key: set"
            raise JudgeError(f"{self.url}: the server {was} {self.key.variable} (status {response.status_code})")
        if response.status_code in (400, 413, 422) and TOO_LONG.search(said):
            raise PromptTooLong(shorten(said))
        if response.status_code != 200:
            tries = f" {TRIES} times" if response.status_code in BUSY else ""
            raise JudgeError(f"{self.url}: status {response.status_code}{tries}: {shorten(said)}")
        try:
            content = response.json()["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            raise JudgeError(f"{self.url}: not an answer of chat completions: {shorten(said)}") from None
        return self.key.hide(content) if isinstance(content, str) else ""

    def post(self, body: dict[str, Any]) -> requests.Response:
        """Return the server's last answer; errors that may be temporary are tried again."""
        retry = Retry(
            total=TRIES - 1,
            read=PATIENT_TRIES - 1,
            allowed_methods={"POST"},
            status_forcelist=BUSY,
            backoff_factor=BACKOFF_SECONDS,
            retry_after_max=LONGEST_WAIT_SECONDS,
            raise_on_status=False,
        )
        with requests.Session() as session:
            session.mount(self.url, HTTPAdapter(max_retries=retry))
            try:
                return session.post(
                    f"{self.url}/chat/completions",
                    json=body,
                    auth=self.key,
                    timeout=(CONNECT_SECONDS, self.timeout),
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                raise JudgeError(f"{self.url}: {explain(error, self.timeout)}") from None


def explain(error: requests.RequestException, timeout: float) -> str:
    """Return the reason that there is no answer, without the request's text."""
    if "Read timed out" in str(error):
        return (
            f"no answer within {timeout:g} seconds, {PATIENT_TRIES} times; is the model loaded, or --timeout too short?"
        )
    if isinstance(error, requests.ConnectionError):
        return (
            f"cannot be reached, {TRIES} times; does the server run, and is evaluate.judge.url the address up to /v1?"
        )
    return f"the request failed ({type(error).__name__})"


def check_url(url: str) -> str:
    """Return an address without its last slash; JudgeError if it is not one, or holds a password."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise JudgeError("evaluate.judge.url: not an address such as http://127.0.0.1:8000/v1")
    if parts.username or parts.password or parts.query:
        raise JudgeError(
            "evaluate.judge.url: holds more than an address; "
            "a key goes into the variable that evaluate.judge.key_variable names"
        )
    return url.rstrip("/")


def shorten(text: str) -> str:
    """Return the beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"
