"""A Grid Engine on this machine: Debian's real daemons, run from a folder, on a host that says it has four H20s.

The packages are unpacked and not installed, because they would bring a mail server along. One path in them is fixed,
/usr/lib/gridengine, so that the daemons see the unpacked one there, and nobody else does (a mount namespace).
Daemons are stopped by their processes' numbers.
"""

import os
import socket
import subprocess
from pathlib import Path
from typing import Self

from pipeline.launch.on_nodes import free_port
from tests.support.processes import wait_until

PACKAGES = ("gridengine-common", "gridengine-client", "gridengine-exec", "gridengine-master", "libjemalloc2")
BOOTSTRAP = """admin_user none
default_domain none
ignore_fqdn true
spooling_method classic
spooling_lib libspoolc
spooling_params {cell};{spool}
binary_path {programs}
qmaster_spool_dir {spool}
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
"""
# Differences from Debian's own configuration: root may run jobs, and a job is accounted for at once.
GLOBAL = {
    "execd_spool_dir": "{spool}",
    "mailer": "/bin/true",
    "min_uid": "0",
    "min_gid": "0",
    "load_report_time": "00:00:01",
    "reporting_params": "accounting=true reporting=false flush_time=00:00:15 accounting_flush_time=00:00:00",
}
SCHEDULER = {"schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"}
COMPLEXES = "gpu gpu INT <= YES JOB 0 0\ngpu_model gpu_model STRING == YES NO NONE 0\n"
SLOTS = """pe_name smp
slots 64
user_lists NONE
xuser_lists NONE
start_proc_args NONE
stop_proc_args NONE
allocation_rule $pe_slots
control_slaves FALSE
job_is_first_task TRUE
urgency_slots min
accounting_summary FALSE
qsort_args NONE
"""
QUEUE = {"qname": "gpu.q", "hostlist": "localhost", "slots": "64", "pe_list": "smp", "load_thresholds": "NONE"}


def unpack(folder: Path) -> Path:
    """Fetch Debian's packages into a folder and unpack them; return where the programs are."""
    subprocess.run(["apt-get", "update", "-qq"], check=True, capture_output=True)
    fetch = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *PACKAGES]
    subprocess.run(fetch, cwd=folder, check=True, capture_output=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", str(package), str(folder / "root")], check=True)
    return folder / "root" / "usr" / "lib" / "gridengine"


def changed(text: str, changes: dict[str, str]) -> str:
    """Return a configuration with other values."""
    lines = (line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#"))
    return "".join(f"{name} {changes.get(name, ' '.join(value))}\n" for name, *value in lines)


class GridEngine:
    """One queue on this machine; a context that stops it at its end."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.programs = unpack(folder)
        self.share = self.programs.parents[1] / "share" / "gridengine"
        libraries = [self.programs, self.programs.parent / "x86_64-linux-gnu"]
        self.environment = {
            "SGE_ROOT": str(folder / "sge"),
            "SGE_CELL": "default",
            "SGE_QMASTER_PORT": str(free_port()),
            "SGE_EXECD_PORT": str(free_port()),
            "SGE_ND": "1",  # daemons stay in the foreground
            "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        }
        self.daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.initialise()
        try:
            self.come_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def come_up(self) -> None:
        """Start the daemons, one after the other, and make a queue."""
        self.start("sge_qmaster")
        self.wait_for(lambda: "localhost" in self.ask("qconf", "-sh"))
        self.ask("qconf", "-as", "localhost")
        self.start("sge_execd")
        self.wait_for(lambda: "lx-amd64" in self.ask("qhost", "-h", "localhost"))
        self.configure()
        self.wait_for(lambda: "lx-amd64" in self.ask("qstat", "-f", "-q", "gpu.q"))

    def __exit__(self, *_: object) -> None:
        """Stop jobs that a failed test left, then the daemons at once: nobody needs what they would write down."""
        self.ask("qdel", "-u", "*")
        wait_until(lambda: not self.ask("qstat"))
        for daemon in self.daemons:
            daemon.kill()
            daemon.wait()

    def initialise(self) -> None:
        """Write what the master reads before it answers."""
        root = self.folder / "sge"
        cell, spool = root / "default" / "common", root / "spool"
        for folder in (cell, spool / "job_scripts"):
            folder.mkdir(parents=True)
        (root / "util").symlink_to(self.share / "util")
        (cell / "bootstrap").write_text(BOOTSTRAP.format(cell=cell, spool=spool, programs=self.programs))
        (cell / "act_qmaster").write_text("localhost\n")
        (cell / "host_aliases").write_text(f"localhost {socket.gethostname()}\n")
        changes = {name: value.format(spool=spool) for name, value in GLOBAL.items()}
        settings = self.folder / "configuration"
        settings.write_text(changed((self.share / "default-configuration").read_text(), changes))
        resources = self.share / "util" / "resources"
        self.spool("spoolinit", "classic", "libspoolc", f"{cell};{spool}", "init")
        self.spool("spooldefaults.bin", "configuration", str(settings))
        self.spool("spooldefaults.bin", "complexes", str(resources / "centry"))
        self.spool("spooldefaults.bin", "usersets", str(resources / "usersets"))
        self.spool("spooldefaults.bin", "managers", "root")

    def configure(self) -> None:
        """Say that there are GPUs, and make a queue."""
        self.change("-sc", "-Mc", lambda text: text + COMPLEXES)
        self.change("-ssconf", "-Msconf", lambda text: changed(text, SCHEDULER))
        self.ask("qconf", "-aattr", "exechost", "complex_values", "gpu=4,gpu_model=h20", "localhost")
        self.change("-spl", "-Ap", lambda _: SLOTS)
        self.change("-sq", "-Aq", lambda text: changed(text, QUEUE))

    def change(self, show: str, put: str, edit) -> None:  # type: ignore[no-untyped-def]
        """Change a configuration as its administrators do: have it shown, edit it, put it back."""
        file = self.folder / f"qconf{put}"
        file.write_text(edit(self.ask("qconf", *show.split())))
        self.ask("qconf", put, str(file))

    def wrapped(self, program: str, *arguments: str) -> list[str]:
        """Return a command that sees the unpacked programs in their fixed place."""
        lower = f"lowerdir={self.programs.parent}:/usr/lib"
        mount = f'mount -t overlay overlay -o "{lower}" /usr/lib && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", mount, "sh", str(self.programs / program), *arguments]

    def spool(self, program: str, *arguments: str) -> None:
        """Run a program that writes the master's files."""
        environment = os.environ | self.environment
        subprocess.run(self.wrapped(program, *arguments), env=environment, check=False, capture_output=True)

    def start(self, program: str) -> None:
        """Start a daemon."""
        environment = os.environ | self.environment
        with (self.folder / f"{program}.log").open("wb") as log:
            self.daemons.append(subprocess.Popen(self.wrapped(program), env=environment, stdout=log, stderr=log))

    def ask(self, command: str, *arguments: str) -> str:
        """Return the output of one of Grid Engine's commands."""
        environment = os.environ | self.environment
        command = str(self.programs / command)
        said = subprocess.run([command, *arguments], env=environment, capture_output=True, text=True, check=False)
        return said.stdout

    def wait_for(self, holds) -> None:  # type: ignore[no-untyped-def]
        """Wait until something is so; the daemons need a second or two."""
        assert wait_until(holds), f"Grid Engine does not come up: see {self.folder}"
