"""Where processes listen: the addresses of their sockets that wait for connections."""

import struct
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

LISTENS = "0A"  # in /proc/net/tcp


def listening_addresses(pids: Iterable[int]) -> set[IPv4Address | IPv6Address]:
    """Return the addresses at which processes listen for TCP; 0.0.0.0 and :: are those of all interfaces."""
    sockets = {inode for pid in pids for inode in open_sockets(pid)}
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path("/proc/net", name).read_text().splitlines()[1:]]
    return {read_address(row[1]) for row in rows if row[3] == LISTENS and row[9] in sockets}


def open_sockets(pid: int) -> set[str]:
    """Return the numbers of a process's sockets; nothing if it has ended."""
    found = set()
    with suppress(OSError):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(file.readlink()).removeprefix("socket:[").removesuffix("]"))
    return found


def read_address(text: str) -> IPv4Address | IPv6Address:
    """Return the address of `0100007F:1F90`, which has words in the order of this machine."""
    words = bytes.fromhex(text.partition(":")[0])
    ordered = b"".join(struct.pack(">I", word) for (word,) in struct.iter_unpack("=I", words))
    return IPv4Address(ordered) if len(ordered) == 4 else IPv6Address(ordered)
