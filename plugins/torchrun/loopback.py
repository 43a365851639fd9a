"""Let torchrun's store on one machine listen to that machine alone.

torchrun's own rendezvous listen on all interfaces, whatever address they are given. torchrun finds this one by the
entry point in the folder beside this file, which is on PYTHONPATH. The kernel chooses the port, so that no two
trainings meet.
"""

import socket
from collections.abc import Callable
from datetime import timedelta

from torch.distributed import PrefixStore, TCPStore
from torch.distributed.elastic.rendezvous import RendezvousHandler, RendezvousInfo, RendezvousParameters
from torch.distributed.elastic.rendezvous.api import RendezvousStoreInfo
from torch.distributed.elastic.rendezvous.static_tcp_rendezvous import StaticTCPRendezvous

HOST = "127.0.0.1"
WAIT = timedelta(minutes=10)  # torchrun's own


class Loopback(StaticTCPRendezvous):
    """The rendezvous of one machine, whose launcher keeps the store."""

    def get_backend(self) -> str:
        """Return the name by which torchrun is asked for it."""
        return "loopback"

    def next_rendezvous(self) -> RendezvousInfo:
        """Open the store, and return where it is."""
        listener = socket.create_server((HOST, self.master_port))
        _, self.master_port = listener.getsockname()
        where, listening = (HOST, self.master_port), listener.detach()
        self._store = TCPStore(
            *where, self.world_size, is_master=True, timeout=WAIT, multi_tenant=True, master_listen_fd=listening
        )
        return RendezvousInfo(PrefixStore(self.run_id, self._store), 0, self.world_size, RendezvousStoreInfo(*where))


def offer() -> Callable[[RendezvousParameters], RendezvousHandler]:
    """Return the function that makes this rendezvous, which torchrun calls."""
    seconds = int(WAIT.total_seconds())
    return lambda asked: Loopback(HOST, 0, rank=0, world_size=1, run_id=asked.run_id, timeout=seconds)
