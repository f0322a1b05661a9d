"""A Valkey behind TLS, and one that sentinels watch over together with its replica."""

from __future__ import annotations

import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import redis

from tests.ports import free_port
from tests.provider.certificates import self_signed_certificate
from tests.relays import running_relay
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from worker.supervisor.valkey.binaries import list_server_binaries

SERVICE: Final = "catfeeder-test"
_SENTINEL_CONF: Final = f"""\
port {{port}}
bind 127.0.0.1
dir {{directory}}
sentinel monitor {SERVICE} 127.0.0.1 {{master}} 1
sentinel down-after-milliseconds {SERVICE} 500
sentinel failover-timeout {SERVICE} 3000
"""


@contextmanager
def running_server(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server's binary for the block, with nothing but `arguments`."""
    process = subprocess.Popen([list_server_binaries()[0], *arguments], stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@contextmanager
def running_tls_valkey(valkey: ValkeyServer, directory: Path) -> Iterator[tuple[int, Path]]:
    """Put TLS before a Valkey for the block; yield the port and the certificate to trust.

    The server of the wheel is built without TLS, so what ends it stands before the server, as the
    proxies of many a cloud do.
    """
    certificate, key = self_signed_certificate(directory)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    with running_relay(valkey.url.removeprefix("unix://"), "localhost", tls) as relay:
        yield relay.port, certificate


class Watched:
    """A master and its replica on this machine, and the sentinel that watches them."""

    def __init__(self, sentinel_port: int, servers: dict[int, subprocess.Popen[bytes]]) -> None:
        self._servers = servers
        self._sentinel = redis.Redis(port=sentinel_port, decode_responses=True)
        # One of the sentinels named is away, as in life.
        self.url = f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{sentinel_port}/{SERVICE}/0"

    def master_port(self) -> int:
        """Return the port of the server that the sentinel calls the master."""
        masters: Any = self._sentinel.sentinel_masters()
        return int(masters[SERVICE]["port"])

    def knows_replica(self) -> bool:
        """Return whether there is a replica to which the sentinel could fail over."""
        [replica] = self._sentinel.sentinel_slaves(SERVICE) or [{}]
        return replica.get("master-link-status") == "ok"

    def kill_master(self) -> None:
        """Kill the master, and return once the replica has taken over."""
        old = self.master_port()
        self._servers[old].kill()
        wait_until(lambda: self.master_port() != old)
        with redis.Redis(port=self.master_port()) as client:
            wait_until(lambda: client.role()[0] == b"master")

    def close(self) -> None:
        """Close the connection to the sentinel."""
        self._sentinel.close()


@contextmanager
def running_sentinel() -> Iterator[Watched]:
    """Start two servers and a sentinel for the block."""
    with ExitStack() as parts:
        servers: dict[int, subprocess.Popen[bytes]] = {}
        for port in (master := free_port(), replica := free_port()):
            directory = parts.enter_context(tempfile.TemporaryDirectory(prefix="cf-"))
            follow = ("--replicaof", f"127.0.0.1 {master}") if port == replica else ()
            arguments = ("--port", str(port), "--bind", "127.0.0.1", "--dir", directory, *follow)
            quick = ("--save", "", "--repl-diskless-sync-delay", "0")
            servers[port] = parts.enter_context(running_server(*arguments, *quick))
        # A sentinel looks for replicas every ten seconds, and the first time at once.
        with redis.Redis(port=replica) as client:
            wait_until(lambda: _answers(client) and client.role()[3] == b"connected")
        directory = parts.enter_context(tempfile.TemporaryDirectory(prefix="cf-"))
        sentinel_port = free_port()
        conf = Path(directory) / "sentinel.conf"
        values = {"port": sentinel_port, "directory": directory, "master": master}
        conf.write_text(_SENTINEL_CONF.format(**values))
        parts.enter_context(running_server(str(conf), "--sentinel"))
        watched = Watched(sentinel_port, servers)
        parts.callback(watched.close)
        wait_until(lambda: _answers(watched._sentinel) and watched.knows_replica())
        yield watched
