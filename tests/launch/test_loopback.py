"""plugins/torchrun/loopback.py: where torchrun's store listens when a training has one machine."""

import socket
from ipaddress import ip_address
from pathlib import Path

from pipeline.launch.on_nodes import rendezvous
from pipeline.launch.run_swift import start_swift
from tests.support.listening import listening_addresses
from tests.support.project import ROOT

WORKER = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.support.listening import listening_addresses
print("store", os.environ["MASTER_ADDR"], *listening_addresses([os.getppid()]))
"""


def test_torchrun_on_one_machine_listens_to_that_machine_alone(tmp_path):
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER, encoding="utf-8")
    torchrun = ["envs/with-training", "python", "-m", "torch.distributed.run", "--nproc_per_node", "1", str(worker)]
    with start_swift(torchrun, rendezvous(1), ()) as process:
        said, _ = process.communicate()
    assert said.splitlines() == ["store 127.0.0.1 127.0.0.1"]


def test_addresses_are_read_as_the_kernel_has_them():
    with socket.create_server(("127.0.0.1", 0)), socket.create_server(("", 0)):
        found = listening_addresses([int(Path("/proc/self").readlink().name)])
    assert found == {ip_address("127.0.0.1"), ip_address("0.0.0.0")}


def test_on_several_machines_they_meet_at_the_first():
    variables = rendezvous(2)
    assert {"NNODES": "2", "MASTER_ADDR": socket.gethostname()}.items() <= variables.items()
    assert not variables.keys() & {"GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "PET_RDZV_BACKEND"}
