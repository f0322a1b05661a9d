"""The whole service as `make run` starts it, and an app that calls it over HTTP."""

from __future__ import annotations

import re
import secrets
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
import requests

from tests.stack.directory import RunningService, ServiceDirectory

_TIMEOUT_SECONDS: Final = 60
#: For a job, on a machine that has much else to do.
_JOB_SECONDS: Final = 80
#: An anonymous request says so by this; no key at all would mean the default one.
ANONYMOUS: Final = ""


class Stack:
    """A running service in a folder of its own."""

    def __init__(self, path: Path, **variables: str) -> None:
        """Prepare the folder; `variables` are what the operator has set in the environment."""
        self.directory = ServiceDirectory(path)
        self.admin_api_key = f"admin-{secrets.token_urlsafe()}"
        self.secret_key = f"secret-{secrets.token_urlsafe()}"
        self._variables = {
            "SECRET_KEY": self.secret_key,
            "ADMIN_API_KEY": self.admin_api_key,
            **variables,
        }
        #: What the processes of earlier starts have said.
        self.past_output: list[str] = []
        #: The headers and bodies of all error answers.
        self.refusals: list[str] = []
        self.service: RunningService | None = None

    @property
    def url(self) -> str:
        """Where the service listens."""
        return f"http://127.0.0.1:{self.directory.port}"

    @property
    def var_dir(self) -> Path:
        """Where the service writes."""
        return self.directory.path / "var"

    @property
    def redis_url(self) -> str:
        """The REDIS_URL of the service's own Valkey, which names its socket in its title."""
        for process in self.directory.processes():
            _, found, socket = " ".join(process.cmdline()).partition("unixsocket:")
            if found:
                return f"unix://{socket.strip()}"
        raise AssertionError("no Valkey runs")

    @property
    def running(self) -> RunningService:
        """The service, which must have been started."""
        assert self.service is not None
        return self.service

    def configure(self, section: str, key: str, value: str) -> None:
        """Change a value of config.toml, given as TOML."""
        path = self.directory.path / "config.toml"
        before, header, rest = path.read_text().partition(f"[{section}]\n")
        changed, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", rest, count=1)
        assert header, f"config.toml has no section {section}"
        assert count == 1, f"config.toml has no {key}"
        path.write_text(before + header + changed)

    def start(self) -> None:
        """Start the service and wait until it says where it listens."""
        self.service = self.directory.run(**self._variables)
        self.service.await_line("listens at")

    def command(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run one of the operator's commands, with the service's environment."""
        return self.directory.worker(name, **self._variables)

    def stop(self) -> int:
        """Stop the service as Ctrl-C does; return the exit status."""
        self.running.process.terminate()
        return self.await_end()

    def await_end(self) -> int:
        """Wait until the service has ended by itself; return the exit status."""
        status = self.running.end()
        self.past_output.append(self.running.output)
        self.service = None
        return status

    def call(
        self, method: str, path: str, *, key: str | None = None, **options: Any
    ) -> requests.Response:
        """Call the API, with the admin key unless another is given; remember what it refuses."""
        headers = dict(options.pop("headers", {}))
        if key != ANONYMOUS:
            headers["Authorization"] = f"Bearer {key or self.admin_api_key}"
        options.setdefault("allow_redirects", False)
        answer = requests.request(
            method, self.url + path, headers=headers, timeout=_TIMEOUT_SECONDS, **options
        )
        if answer.status_code >= requests.codes.bad_request:
            self.refusals.append(f"{answer.headers}\n{answer.text}")
        return answer

    def job(
        self, path: str, body: dict[str, Any] | None = None, method: str = "POST", **options: Any
    ) -> dict[str, Any]:
        """Ask for a job and wait for its end; return the finished job."""
        headers = {"Prefer": "wait=20"}
        answer = self.call(method, path, json=body, headers=headers, **options)
        assert answer.ok, answer.text
        return self.await_end_of(answer.headers["Location"])

    def await_end_of(self, location: str) -> dict[str, Any]:
        """Wait for the end of a job; return the finished job."""
        deadline = time.monotonic() + _JOB_SECONDS
        while True:
            job: dict[str, Any]
            job = self.call("GET", location, headers={"Prefer": "wait=20"}).json()
            if job["status"] not in ("queued", "running"):
                return job
            assert time.monotonic() < deadline, job

    def result(self, path: str, body: dict[str, Any]) -> Any:
        """Ask for a job that must succeed; return its result."""
        finished = self.job(path, body)
        assert finished["status"] == "succeeded", finished
        return finished["result"]

    def execute(self, statement: str) -> None:
        """Carry out a statement on the database, to let pass what would take long to pass."""
        path = self.var_dir / "catfeeder.sqlite3"
        with closing(sqlite3.connect(path, timeout=_JOB_SECONDS)) as database, database:
            database.execute(statement)

    def worker_processes(self, queues: str) -> list[psutil.Process]:
        """Return the processes that perform what is on these queues, masters first."""
        return [
            process
            for process in self.directory.processes()
            if f"--queues {queues}" in " ".join(process.cmdline())
        ]

    def end(self) -> None:
        """End whatever still runs."""
        if self.service is not None and self.running.process.poll() is None:
            self.stop()
        self.directory.end_all()


@contextmanager
def build_stacks(directory: Path) -> Iterator[Callable[..., Stack]]:
    """Yield a builder of stacks, each with variables of its own, and end them after the block."""
    built: list[Stack] = []

    def build(**variables: str) -> Stack:
        path = directory / f"service-{len(built)}"
        path.mkdir()
        built.append(Stack(path, **variables))
        return built[-1]

    try:
        yield build
    finally:
        for stack in built:
            stack.end()
