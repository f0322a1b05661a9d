"""Machines that share a broker and a database over a network, from which each can be cut off."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import parse_qs, urlsplit

import requests

from config import ROOT
from tests.relays import Relay, Target, running_relay
from tests.stack.directory import ServiceDirectory
from tests.stack.processes import ProcfileProcess
from worker.supervisor.procfile import read_procfile

_PROCFILE: Final = read_procfile(ROOT / "Procfile")
_TIMEOUT_SECONDS: Final = 10


class Network(Protocol):
    """What lies between a machine and the servers."""

    #: The address at which the machine reaches the servers, and its own.
    servers: str
    own: str
    #: What a command begins with that runs on the machine.
    prefix: list[str]

    def cut(self, relays: list[Relay]) -> None:
        """Let nothing pass, as with a pulled cable: neither end learns of it."""

    def mend(self, relays: list[Relay]) -> None:
        """Let everything pass again."""


class Loopback:
    """A machine that is a group of processes; only its wires to the servers are cut."""

    servers = own = "127.0.0.1"

    def __init__(self) -> None:
        self.prefix: list[str] = []

    def cut(self, relays: list[Relay]) -> None:
        """Stop the relays."""
        for relay in relays:
            relay.cut()

    def mend(self, relays: list[Relay]) -> None:
        """Let them go on."""
        for relay in relays:
            relay.mend()


class Namespace:
    """A machine with a network of its own, joined to ours by a cable that can be unplugged."""

    def __init__(self, number: int) -> None:
        self.name = f"cf{os.getpid() % 100_000}x{number}"
        # Another run of the tests on this machine most likely has other addresses.
        part = f"10.231.{os.getpid() % 250}."
        self.servers, self.own = f"{part}{4 * number + 1}", f"{part}{4 * number + 2}"
        self.prefix = ["ip", "netns", "exec", self.name]

    def make(self) -> None:
        """Make the network and plug it in.

        Raises:
            subprocess.CalledProcessError: This system does not let us.
        """
        _ip("netns", "add", self.name)
        _ip("link", "add", self.name, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _ip("addr", "add", f"{self.servers}/30", "dev", self.name)
        _ip("link", "set", self.name, "up")
        _ip("-n", self.name, "addr", "add", f"{self.own}/30", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", self.name, "link", "set", device, "up")

    def remove(self) -> None:
        """Remove it, as far as it was made."""
        for what in ("link", "netns"):
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip(what, "del", self.name)

    def cut(self, relays: list[Relay]) -> None:  # noqa: ARG002
        """Unplug the cable."""
        _ip("link", "set", self.name, "down")

    def mend(self, relays: list[Relay]) -> None:  # noqa: ARG002
        """Plug it in again."""
        _ip("link", "set", self.name, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@contextmanager
def namespace(number: int) -> Iterator[Namespace | None]:
    """Make a network namespace for the block; yield None where the system does not let us."""
    made = Namespace(number)
    try:
        if not shutil.which("ip"):
            yield None
            return
        try:
            made.make()
        except subprocess.CalledProcessError:
            yield None
        else:
            yield made
    finally:
        if shutil.which("ip"):
            made.remove()


class Machine:
    """Lines of the Procfile at work, behind a network."""

    def __init__(self, path: Path, network: Network, relays: list[Relay], **shared: str) -> None:
        path.mkdir()
        self._directory = ServiceDirectory(path)
        self._network = network
        self._relays = relays
        self._processes: dict[str, ProcfileProcess] = {}
        own = {"HOST": network.own, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self._environment = self._directory.environment({**shared, **own})
        self._key = shared["ADMIN_API_KEY"]

    @property
    def output(self) -> str:
        """The output of all its processes."""
        return "".join(process.output for process in self._processes.values())

    def start(self, line: str) -> None:
        """Start a line of the Procfile."""
        self._processes[line] = ProcfileProcess(
            line, _PROCFILE[line], self._environment, self._directory.path, self._network.prefix
        )

    def stop(self, line: str) -> int:
        """Stop a line as a process manager does; return its status."""
        return self._processes[line].stop()

    def is_running(self, line: str) -> bool:
        """Return whether a line has not ended."""
        return not self._processes[line].has_ended

    def call(self, method: str, path: str, **options: object) -> requests.Response | None:
        """Call the machine's web process; None when it does not answer."""
        url = f"http://{self._network.own}:{self._directory.port}{path}"
        headers = {"Host": "localhost", "Authorization": f"Bearer {self._key}"}
        try:
            return requests.request(
                method,
                url,
                headers=headers,
                timeout=_TIMEOUT_SECONDS,
                **options,  # type: ignore[arg-type]
            )
        except requests.RequestException:
            return None

    def is_healthy(self) -> bool:
        """Return whether the web process answers that all is well."""
        answer = self.call("GET", "/health")
        return answer is not None and answer.status_code == requests.codes.ok

    def cut_off(self) -> None:
        """Cut the machine off from the servers."""
        self._network.cut(self._relays)

    def bring_back(self) -> None:
        """Join it again."""
        self._network.mend(self._relays)

    def end(self) -> None:
        """End whatever runs."""
        for process in self._processes.values():
            process.end()


@contextmanager
def running_machine(
    path: Path, network: Network, redis: Target, database_url: str, **shared: str
) -> Iterator[Machine]:
    """Set a machine up for the block; nothing runs on it yet."""
    parts = urlsplit(database_url)
    [directory] = parse_qs(parts.query)["host"]
    with ExitStack() as wires:
        to_redis = wires.enter_context(running_relay(redis, network.servers))
        postgres = f"{directory}/.s.PGSQL.5432"
        to_postgres = wires.enter_context(running_relay(postgres, network.servers))
        user = (parts.username or "postgres") + ":"
        where = {
            "REDIS_URL": f"redis://{network.servers}:{to_redis.port}/0",
            "DATABASE_URL": f"postgresql://{user}@{network.servers}:{to_postgres.port}{parts.path}",
        }
        machine = Machine(path, network, [to_redis, to_postgres], **where, **shared)
        wires.callback(machine.end)
        wires.callback(machine.bring_back)
        yield machine
