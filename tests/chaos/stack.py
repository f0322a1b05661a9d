"""All the parts of a service as separate processes, each of which can be killed by itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import requests

from config import load_settings, read_toml
from models.db.database import open_database
from models.migrate import migrate
from tests.chaos.postgres import Postgres
from tests.chaos.processes import MortalProcess
from tests.chaos.provider_process import ProviderProcess, running_provider
from tests.chaos.valkey import Valkey
from tests.stack.stack import Stack
from tests.waiting import wait_until
from worker.supervisor.plan import WEB, plan_processes
from worker.supervisor.procfile import read_procfile

PROVIDER: Final = "house"
_START_SECONDS: Final = 60
#: After the provider, which must not seem dead where cores are short.
_NICE: Final = ("nice", "-n", "5")
#: Everything comes round sooner than in real life, so that a minute is as good as an hour.
_SHORT_TIMES: Final = (
    ("Processes", "scheduler", "2"),
    ("Crons", "renew_oath_tokens_interval", "1"),
    ("OAuth", "connect_timeout_seconds", "1"),
    ("OAuth", "read_timeout_seconds", "2"),
    ("OAuth", "lease_seconds", "12"),
    ("OAuth", "renewal_batch", "10"),
    ("OAuth", "retry_seconds", "1"),
    ("OAuth", "retry_cap_seconds", "3"),
)


class ChaosStack:
    """The servers, the processes of the Procfile, and an app's way to them."""

    def __init__(
        self,
        directory: Path,
        provider: ProviderProcess,
        oauth: int,
        valkey: Valkey,
        postgres: Postgres | None,
    ) -> None:
        """`directory` is empty; without PostgreSQL a file in it is the database.

        `start` starts the servers and the processes.
        """
        self.provider = provider
        self.servers: list[Valkey | Postgres] = [valkey, *([postgres] if postgres else [])]
        self.processes: list[MortalProcess] = []
        self._variables = {
            # What a developer's own shell may have set is not for us.
            "SECRET_KEY_PREVIOUS": "",
            "VAR_DIR": str(directory / "var"),
            "DATABASE_URL": postgres.url if postgres else f"sqlite:///{directory}/database",
            "REDIS_URL": valkey.url,
            "OAUTH_ALLOWED_PRIVATE_HOSTS": provider.host,
        }
        self.app = Stack(directory, **self._variables)
        self._variables["SECRET_KEY"] = self.app.secret_key
        self._variables["ADMIN_API_KEY"] = self.app.admin_api_key
        for section, key, value in (*_SHORT_TIMES, ("Processes", "oauth", str(oauth))):
            self.app.configure(section, key, value)

    def start(self) -> None:
        """Start all of it, with empty tables, and let the administrator set the provider up."""
        for server in self.servers:
            server.start()
        path = self.app.directory.path
        environment = {**self._variables, "PORT": str(self.app.directory.port)}
        settings = load_settings(environment, read_toml(path / "config.toml"))
        open_database(settings)
        migrate(datetime.now(UTC))
        commands = read_procfile(path / "Procfile")
        del commands["passwords"]
        for planned in plan_processes(settings, commands, self._variables["REDIS_URL"]):
            variables = {**planned.environment, **self._variables}
            process = MortalProcess(planned.name, planned.command, variables, path, _NICE)
            self.processes.append(process)
        wait_until(self._is_healthy, _START_SECONDS)
        settings_of_provider = self.provider.settings()
        answer = self.app.call("PUT", f"/v1/providers/{PROVIDER}", json=settings_of_provider)
        assert answer.ok, answer.text

    def renew(self, connection_id: str) -> None:
        """Have one connection renewed; where nothing is killed that must go well."""
        answer = self.app.call("POST", f"/v1/connections/{connection_id}/renew")
        job = answer.headers["Location"]
        is_done = lambda: self.app.call("GET", job).json()["status"] == "succeeded"  # noqa: E731
        wait_until(is_done, _START_SECONDS)

    @property
    def mortal(self) -> list[MortalProcess]:
        """What is killed: all but the web process, which has to report every outage."""
        return [process for process in self.processes if not process.name.startswith(WEB)]

    def copy_logs(self, directory: Path) -> None:
        """Copy what the processes have said."""
        directory.mkdir(parents=True, exist_ok=True)
        for process in self.processes:
            shutil.copy(process.log, directory)

    def end(self) -> None:
        """End all of it at once."""
        for part in (*self.processes, *self.servers):
            part.end()

    def _is_healthy(self) -> bool:
        try:
            return self.app.call("GET", "/health").ok
        except requests.ConnectionError:
            return False


@contextmanager
def running_stack(
    seed: int, oauth: int, latency_seconds: float, *, on_sqlite: bool
) -> Iterator[ChaosStack]:
    """Start everything for the block, and leave nothing of it behind."""
    with ExitStack() as ending:
        provider = ending.enter_context(running_provider(seed, latency_seconds))
        valkey = Valkey(_new_directory(ending))
        postgres = None if on_sqlite else Postgres(_new_directory(ending))
        stack = ChaosStack(_new_directory(ending), provider, oauth, valkey, postgres)
        ending.callback(stack.end)
        stack.start()
        yield stack


def _new_directory(ending: ExitStack) -> Path:
    # The path of a unix socket must be short, wherever temporary files are kept.
    directory = Path(tempfile.mkdtemp(prefix="cf-", dir="/tmp"))
    ending.callback(shutil.rmtree, directory)
    return directory
