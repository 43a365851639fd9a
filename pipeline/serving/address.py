"""Where a server listens: on this machine alone, unless told otherwise, and then with a key; and how it is asked."""

import errno
import ipaddress
import json
import os
import shlex
import socket
import sys
from typing import Any

LOOPBACK = "127.0.0.1"
KEY_VARIABLE = "SERVE_API_KEY"
BASE, TUNED = "base", "tuned"  # the models' names in requests


def read_port(said: str) -> int:
    """Return the port that a user names; stop with one line if it is not a port."""
    if not said.isdecimal() or int(said) not in range(2**16):
        sys.exit(f"PORT={said}: not a port; name one from 1024 to 65535")
    return int(said)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; stop with one line if it cannot. Port 0 is any free one."""
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place, family=family)
    except socket.gaierror:
        sys.exit(f"HOST={host}: no such address; this machine's own is {LOOPBACK}")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sys.exit(f"PORT={port}: in use on {host}; stop what listens there, or name another port")
        sys.exit(f"HOST={host} PORT={port}: {os.strerror(error.errno or 0)}; name another")


def require_key(listening: socket.socket) -> str | None:
    """Return the key that requests have to bring, None without one; others are let in with one alone."""
    key = os.environ.get(KEY_VARIABLE) or None
    if not key and not is_local(listening):
        host = listening.getsockname()[0]
        sys.exit(
            f"HOST={host}: others could ask; export {KEY_VARIABLE}=…, the key that their requests then have to bring"
        )
    return key


def is_local(listening: socket.socket) -> bool:
    """Say whether this machine alone can ask a server."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback


def write_address(listening: socket.socket) -> str:
    """Return the address of a server."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def write_curl(address: str, body: dict[str, Any], with_key: bool) -> str:
    """Return a command that asks a server; a key is named, and not shown."""
    key = f' -H "Authorization: Bearer ${KEY_VARIABLE}"' if with_key else ""
    said = shlex.quote(json.dumps(body, ensure_ascii=False))
    return f"curl {address}/v1/chat/completions{key} -H 'Content-Type: application/json' -d {said}"
