"""address.py: where a server may listen, and what it says of that."""

import shlex
import socket

import pytest

from pipeline.serving.address import LOOPBACK, listen, read_port, require_key, write_address, write_curl


@pytest.fixture
def anywhere():
    """Return a socket on which others could ask."""
    with listen("0.0.0.0", 0) as listening:
        yield listening


def test_this_machine_alone_needs_no_key(monkeypatch):
    monkeypatch.delenv("SERVE_API_KEY", raising=False)
    with listen(LOOPBACK, 0) as listening:
        assert require_key(listening) is None
        assert write_address(listening) == f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize("key", [None, ""])
def test_others_are_not_let_in_without_a_key(anywhere, monkeypatch, key):
    monkeypatch.delenv("SERVE_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("SERVE_API_KEY", key)
    with pytest.raises(SystemExit, match=r"HOST=0\.0\.0\.0: others could ask; export SERVE_API_KEY"):
        require_key(anywhere)


def test_others_are_let_in_with_a_key(anywhere, monkeypatch):
    monkeypatch.setenv("SERVE_API_KEY", "secret")
    assert require_key(anywhere) == "secret"


def test_a_port_in_use_is_refused_in_one_line():
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as stopped:
            listen(LOOPBACK, port)
    assert stopped.value.code == f"PORT={port}: in use on 127.0.0.1; stop what listens there, or name another port"


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("no such host", 0, "HOST=no such host: no such address; this machine's own is 127.0.0.1"),
        ("192.0.2.1", 0, "HOST=192.0.2.1 PORT=0: Cannot assign requested address; name another"),
    ],
)
def test_what_is_no_address_here_is_refused_in_one_line(host, port, said):
    with pytest.raises(SystemExit) as stopped:
        listen(host, port)
    assert stopped.value.code == said


@pytest.mark.parametrize("said", ["70000", "-1", "abc", ""])
def test_a_word_in_place_of_a_port_is_refused_in_one_line(said):
    with pytest.raises(SystemExit, match=f"^PORT={said}: not a port; name one from 1024 to 65535$"):
        read_port(said)


def test_the_curl_line_names_the_key_and_does_not_show_it(monkeypatch):
    monkeypatch.setenv("SERVE_API_KEY", "secret")
    line = write_curl("http://127.0.0.1:1", {"model": "it's"}, with_key=True)
    assert '-H "Authorization: Bearer $SERVE_API_KEY"' in line
    assert "secret" not in line
    assert shlex.split(line)[-1] == '{"model": "it\'s"}'
