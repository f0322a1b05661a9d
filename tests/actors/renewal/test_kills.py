"""Tests of a renewal that is killed at each of its writes and calls in turn: no token is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from config import ROOT, Settings
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.journal import TAB_ATTEMPTS
from tests.actors.outages import outage
from tests.actors.renewals import (
    HOUR,
    held_renewal,
    latest_refresh_token,
    lease_connections,
    recover_at,
    refresh_token_of,
    renew_all,
)
from tests.actors.sign_ins import now, reread, sign_in
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def toml_conf() -> dict[str, Any]:
    """A database that is not waited for."""
    return {"Database": {"busy_timeout_seconds": 1}}


#: While these are under way, only the provider knows what it has made of the token.
_IN_THE_EXCHANGE: Final = ("await the answer", "read the answer")
#: The statement that keeps an answer: of PostgreSQL, and of the others.
_JOURNAL: Final = ("WITH answer AS", 'UPDATE "attempts" SET')
#: What happens to it where the database does not take it: a file is written, and its folder.
_FILE: Final = ("fsync", "fsync")


class RenewalProcess:
    """A process that renews, and is killed at a step."""

    def __init__(self, environment: dict[str, str], toml_conf: dict[str, Any], log: Path) -> None:
        """Start it with the settings of the test."""
        self._log = log
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.actors.renewal.renewal_process"),
                json.dumps({"env": environment, "toml": toml_conf}),
            ],
            cwd=ROOT,
            # It decides which client of a database is loaded.
            env={**os.environ, "DATABASE_URL": environment["DATABASE_URL"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def renew(
        self, row: TAB_CONNECTIONS, last: int = 0, behind: tuple[str, ...] = ()
    ) -> tuple[list[str], bool]:
        """Renew a connection up to a step; return the steps that it came to, and if it was killed.

        The last of them, if it was killed, it did not take: the one of that number, or the first
        one behind others.
        """
        self._log.unlink(missing_ok=True)
        command = {
            "leases": lease_connections([row]),
            "last": last,
            "behind": behind,
            "log": str(self._log),
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        ended = self._read()
        assert ended in ("0", "-9"), ended
        return self._log.read_text().splitlines(), ended == "-9"

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def __enter__(self) -> RenewalProcess:
        assert self._read() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> None:
        """Let it end by itself."""
        self._process.communicate("")
        assert self._process.returncode == 0


@pytest.fixture
def process(
    environment: dict[str, str], toml_conf: dict[str, Any], tmp_path: Path
) -> Iterator[RenewalProcess]:
    """A process that renews connections of the test's database with the test's provider."""
    with RenewalProcess(environment, toml_conf, tmp_path / "steps") as started:
        yield started
        started.end()


def sign_in_as(provider: ScriptedProvider, user: str) -> TAB_CONNECTIONS:
    """Connect an account."""
    provider.script.user = {**provider.script.user, "id": user}
    return sign_in(provider).connection


def recover_all() -> None:
    """Do what a process does that starts, and each sweep, when all leases have run out."""
    at = now() + HOUR + timedelta(minutes=1)
    recover_at(at)
    renew_all(at)


def is_written_down(done: list[str]) -> bool:
    """Return whether the answer is in the journal after these steps."""
    place = next((place for place, step in enumerate(done) if step in _JOURNAL), None)
    if place is None:
        return False
    return done[place - 1] != "begin" or "commit" in done[place:]


def reasons_of(row: TAB_CONNECTIONS) -> list[str]:
    """Return why the journal says that a connection has to be authorized anew."""
    with hold_connection():
        events = TAB_EVENTS.select().where(
            TAB_EVENTS.connection_id == row.id, TAB_EVENTS.kind == "reauthorization_required"
        )
        return [event.detail["reason"] for event in events]


def test_a_renewal_that_is_killed_at_any_step_loses_no_token(
    process: RenewalProcess, single_use: ScriptedProvider
) -> None:
    # Given a provider that honours each refresh token once and ends the grant when one comes twice
    row = sign_in_as(single_use, "user-0")
    steps, is_killed = process.renew(row)
    assert not is_killed
    assert {"send", *_IN_THE_EXCHANGE} <= set(steps)
    assert is_written_down(steps)

    for last in range(1, len(steps) + 1):
        row = sign_in_as(single_use, f"user-{last}")
        reuses = single_use.grants.refresh_token_reuses

        # When a renewal is killed before one of its steps, and what was cut off is finished
        taken, is_killed = process.renew(row, last)
        assert is_killed
        recover_all()

        # Then the stored token is the provider's latest, and the provider saw none twice
        where = f"killed before step {last}, {taken[-1]}: {taken}"
        stored = reread(row)
        if stored.status == ConnectionStatus.ACTIVE:
            assert refresh_token_of(row) == latest_refresh_token(single_use), where
            assert single_use.grants.refresh_token_reuses == reuses, where
        else:
            # Or the kill was between the provider's doing and our knowing, and the journal says so
            assert reasons_of(row) == ["outcome_unknown"], where
            assert set(_IN_THE_EXCHANGE) & set(taken), where
            assert not is_written_down(taken[:-1]), where
        with hold_connection():
            assert TAB_ATTEMPTS.find(row.id) is None, where


def test_a_process_that_dies_while_the_database_is_away_loses_no_token(
    process: RenewalProcess, single_use: ScriptedProvider, database_url: str, settings: Settings
) -> None:
    # Given a database that goes away while the provider is asked
    row = sign_in_as(single_use, "user-1")
    with held_renewal(single_use, process.renew, row, behind=_FILE) as held, outage(database_url):
        # And a process that is killed once the answer is in its file
        taken, is_killed = held.finish()
    assert is_killed
    assert tuple(taken[-3:-1]) == _FILE
    assert len(list((settings.var_dir / "answers").iterdir())) == 1

    # When both are back, then the stored token is the provider's latest
    recover_all()
    assert refresh_token_of(row) == latest_refresh_token(single_use)
    assert single_use.grants.refresh_token_reuses == 0
    assert list((settings.var_dir / "answers").iterdir()) == []
