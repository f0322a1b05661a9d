"""Two machines on one broker and one database: one is cut off at work, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from catfeeder.client import Client, Job
from catfeeder.results import PasswordHash
from config import Settings
from tests.conftest import ADMIN_API_KEY, SECRET_KEY
from tests.machines import Loopback, Machine, Network, namespace, running_machine
from tests.servers import ValkeyServer
from tests.waiting import wait_until

pytestmark = pytest.mark.journey

#: A hash that takes some tenths of a second, so that a machine is cut off while it hashes.
_ROUNDS = 12
_JOBS = 6
_START_SECONDS = 60


@pytest.fixture
def database_kind() -> str:
    """One that machines can share."""
    return "postgresql"


@pytest.fixture
def machines(tmp_path: Path, valkey: ValkeyServer, tables: Settings) -> Iterator[list[Machine]]:
    """Two machines at work: in network namespaces, or in groups of processes where none may be."""
    shared = {"SECRET_KEY": SECRET_KEY, "ADMIN_API_KEY": ADMIN_API_KEY}
    socket = valkey.url.removeprefix("unix://")
    with ExitStack() as parts:
        made = []
        for number in (1, 2):
            network: Network = parts.enter_context(namespace(number)) or Loopback()
            path = tmp_path / f"machine-{number}"
            machine = running_machine(path, network, socket, tables.database_url, **shared)
            made.append(parts.enter_context(machine))
        for each in made:
            each.start("web")
            each.start("passwords")
        wait_until(lambda: all(each.is_healthy() for each in made), _START_SECONDS)
        wait_until(lambda: all("Ready for" in each.output for each in made), _START_SECONDS)
        yield made


def test_a_machine_that_is_cut_off_at_work_costs_no_job(
    machines: list[Machine], client: Client, valkey: ValkeyServer
) -> None:
    one, other = machines
    # Given a provider that was set up on one machine, which the other knows at once
    known = {"preset": "google", "client_id": "app", "client_secret": "secret"}
    answer = one.call("PUT", "/v1/providers/google", json=known)
    assert answer is not None
    assert answer.ok, answer.text
    seen = other.call("GET", "/v1/providers/google")
    assert seen is not None
    assert seen.json()["client_id"] == "app"
    # And more hashes than either machine performs at once
    jobs = [client.hash_password(f"password {number}", rounds=_ROUNDS) for number in range(_JOBS)]
    wait_until(lambda: statuses(jobs).count("running") == 2)
    # When one machine is cut off in the middle of its work
    one.cut_off()
    # Then the other performs all of them, those of the first included
    wait_until(lambda: set(statuses(jobs)) == {"succeeded"})
    assert not one.is_healthy()
    assert other.is_healthy()
    # When it is brought back and the other stops
    one.bring_back()
    assert other.stop("passwords") == 0
    # Then it works again, without having been started anew
    again = client.hash_password("once more", rounds=10)
    assert again.result(timeout=60)
    wait_until(one.is_healthy)
    assert one.is_running("passwords")
    # And nothing is lost, twice there, or left lying about
    assert set(statuses(jobs)) == {"succeeded"}
    assert len({job.result()["password_hash"] for job in jobs}) == _JOBS
    wait_until(lambda: not leftovers(valkey))


def statuses(jobs: list[Job[PasswordHash]]) -> list[str]:
    """Return where each job stands."""
    return [str(job.record().status) for job in jobs]


def leftovers(valkey: ValkeyServer) -> list[str]:
    """Return the keys of messages that wait, are in flight or were set aside."""
    ends = ("passwords", "passwords.msgs", "passwords.XQ")
    return [name for name in valkey.key_names() if name.endswith(ends) or "__acks__" in name]
