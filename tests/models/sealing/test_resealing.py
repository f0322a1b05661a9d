"""Tests of key rotation: every sealed column, no row that changed meanwhile, no waiting."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import peewee
import pytest

import models
from catfeeder.errors import SealBroken
from catfeeder.sealing import KeyRing, Secret
from config import ROOT, Settings
from models.db.database import Table, bind_tables, hold_connection, transaction
from models.db.database import database as the_database
from models.db.fields import SealedField
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION
from models.oauth.sign_ins import TAB_VERIFICATION, StateStatus
from models.renewal.leases import claim
from models.sealing.resealing import (
    ResealedBatch,
    count_outdated,
    list_sealed_tables,
    reseal_all,
    reseal_rows,
)
from tests.models.reopening import reopened
from tests.models.rotation import completed, rotated
from tests.models.rows import finish_renewal, grant, stored_connection
from tests.models.times import MINUTE, NOW

STATE = Secret("a-state:google")


def store_one_of_each() -> TAB_CONNECTIONS:
    """Store a row of each table that holds secrets; return the connection."""
    TAB_USER_OAUTH_CONNECTION.put(
        "google",
        preset="google",
        client_id="id",
        client_secret=Secret("client-secret"),
        metadata={},
        now=NOW,
    )
    TAB_VERIFICATION.begin(
        STATE,
        app="default",
        provider="google",
        subject=None,
        scope="openid",
        redirect_uri="http://x",
        return_to=None,
        nonce=Secret("nonce"),
        code_verifier=Secret("verifier"),
        now=NOW,
        expires_at=NOW + MINUTE,
    )
    return stored_connection(grant=grant("access-1", "refresh-1"))


def in_total(batches: Iterator[ResealedBatch]) -> tuple[int, int, tuple[str, ...]]:
    """Return how many rows were sealed anew, were busy, and which were broken."""
    all_of_them = list(batches)
    broken = tuple(name for batch in all_of_them for name in batch.broken)
    return sum(b.done for b in all_of_them), sum(b.busy for b in all_of_them), broken


@pytest.fixture
def connection(database: Settings) -> TAB_CONNECTIONS:  # noqa: ARG001
    """A connection, beside a provider and a pending sign-in, all sealed with the old key."""
    with hold_connection():
        return store_one_of_each()


@pytest.fixture
def new(database: Settings, connection: TAB_CONNECTIONS) -> Iterator[Settings]:  # noqa: ARG001
    """The settings after a change of SECRET_KEY, with the database opened anew."""
    with reopened(rotated(database)), hold_connection():
        yield rotated(database)


def opened_secrets(connection: TAB_CONNECTIONS) -> list[Secret | None]:
    """Read everything sealed that `store_one_of_each` has stored."""
    with hold_connection():
        row = TAB_CONNECTIONS.get_by_id(connection.id)
        provider = TAB_USER_OAUTH_CONNECTION.get_by_id("google")
        state = TAB_VERIFICATION.find(STATE)
    assert state is not None
    return [
        TAB_CONNECTIONS.access_token.open(row),
        TAB_CONNECTIONS.refresh_token.open(row),
        TAB_USER_OAUTH_CONNECTION.client_secret.open(provider),
        TAB_VERIFICATION.nonce.open(state),
        TAB_VERIFICATION.code_verifier.open(state),
    ]


STORED = ["access-1", "refresh-1", "client-secret", "nonce", "verifier"]


def test_everything_sealed_opens_with_the_new_key_alone(
    new: Settings, connection: TAB_CONNECTIONS
) -> None:
    # Given a change of SECRET_KEY, after which what is stored still opens
    assert opened_secrets(connection) == [Secret(text) for text in STORED]
    assert count_outdated() == 4

    # When everything is sealed anew, and the row of the default app authenticated anew
    assert in_total(reseal_all(100)) == (4, 0, ())

    # Then the old key is needed for nothing
    assert count_outdated() == 0
    with reopened(completed(new)):
        assert opened_secrets(connection) == [Secret(text) for text in STORED]
    assert list(reseal_all(100)) == []


@pytest.mark.usefixtures("new")
def test_nothing_else_of_a_row_changes(connection: TAB_CONNECTIONS) -> None:
    in_total(reseal_all(100))

    after = TAB_CONNECTIONS.get_by_id(connection.id)
    sealed = {"access_token", "refresh_token", "mac"}
    changed = {name for name, value in connection.__data__.items() if after.__data__[name] != value}
    assert changed == sealed


@pytest.mark.usefixtures("new")
def test_a_column_without_a_secret_stays_without(connection: TAB_CONNECTIONS) -> None:
    bare = stored_connection("account-2", grant=grant("access-2", None))
    TAB_CONNECTIONS.update(access_token=None).where(TAB_CONNECTIONS.id == connection.id).execute()

    assert in_total(reseal_all(100)) == (4, 0, ())

    assert TAB_CONNECTIONS.get_by_id(bare.id).refresh_token is None
    assert TAB_CONNECTIONS.get_by_id(connection.id).access_token is None


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_batches_leave_no_row_out(database: Settings, batch: int) -> None:
    with hold_connection():
        for number in range(7):
            stored_connection(f"account-{number}")

    with reopened(rotated(database)):
        batches = list(reseal_all(batch))

        # The row of the default app is one more.
        assert sum(each.done for each in batches) == 8
        assert max(each.done for each in batches) == min(batch, 7)
        with hold_connection():
            assert count_outdated() == 0


# -- Whose columns


def test_a_sealed_column_in_a_module_not_yet_imported_is_found(tmp_path: Path) -> None:
    # Given a module with a table of its own, which nothing imports
    shutil.copytree(Path(models.__file__ or "").parent, tmp_path / "models")
    (tmp_path / "models" / "unheard_of.py").write_text(
        "import peewee\n"
        "from models.db.database import Table\n"
        "from models.db.fields import SealedField\n\n"
        "class TAB_UNHEARD_OF(Table):\n"
        "    id = peewee.CharField(primary_key=True)\n"
        "    answer = SealedField()\n"
    )

    # When a process that has just started looks for what is to be sealed anew
    code = "from models.sealing.resealing import list_sealed_tables; print(*list_sealed_tables())"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )

    # Then it finds it
    assert "TAB_UNHEARD_OF" in ended.stdout


class ForeignTable(Table):
    """A table that is not of the service."""

    id = peewee.CharField(primary_key=True)
    secret = SealedField()


def test_a_table_of_another_package_is_left_alone() -> None:
    assert ForeignTable not in list_sealed_tables()


# -- What goes on meanwhile


@pytest.mark.usefixtures("new")
def test_a_renewal_that_came_meanwhile_is_not_overwritten(connection: TAB_CONNECTIONS) -> None:
    # Given a row that was read in order to be sealed anew
    read = TAB_CONNECTIONS.get_by_id(connection.id)
    # When its tokens are renewed before that is written
    stored_connection(grant=grant("access-2", "refresh-2"))

    # Then what the renewal brought stays, and the row counts as one to look at again
    assert reseal_rows([read]) == ResealedBatch(0, 1, ())
    after = TAB_CONNECTIONS.get_by_id(connection.id)
    assert TAB_CONNECTIONS.access_token.open(after) == Secret("access-2")
    assert TAB_CONNECTIONS.refresh_token.open(after) == Secret("refresh-2")


@pytest.mark.usefixtures("new")
def test_half_a_row_that_came_meanwhile_is_not_overwritten(connection: TAB_CONNECTIONS) -> None:
    # A provider may bring a new access token and leave the refresh token as it is.
    read = TAB_CONNECTIONS.get_by_id(connection.id)
    stored_connection(grant=grant("access-2", None))

    assert reseal_rows([read]).done == 0
    after = TAB_CONNECTIONS.get_by_id(connection.id)
    assert TAB_CONNECTIONS.access_token.open(after) == Secret("access-2")
    assert TAB_CONNECTIONS.refresh_token.open(after) == Secret("refresh-1")


@pytest.mark.usefixtures("new")
def test_a_sign_in_that_ended_meanwhile_stays_ended() -> None:
    [read] = list(TAB_VERIFICATION.select())
    TAB_VERIFICATION.end(STATE, StateStatus.DONE)

    assert reseal_rows([read]) == ResealedBatch(0, 1, ())
    [after] = list(TAB_VERIFICATION.select())
    assert (after.nonce, after.code_verifier) == (None, None)


@pytest.mark.usefixtures("new")
def test_a_lease_survives_being_sealed_anew(connection: TAB_CONNECTIONS) -> None:
    # Given a connection in renewal
    lease = claim(connection.id, NOW, NOW + MINUTE)
    assert lease is not None

    # When it is sealed anew before the provider has answered
    in_total(reseal_all(100))

    # Then the renewal is stored as if nothing had been
    assert finish_renewal(lease, grant("access-2", "refresh-2"), NOW)
    after = TAB_CONNECTIONS.get_by_id(connection.id)
    assert TAB_CONNECTIONS.refresh_token.open(after) == Secret("refresh-2")


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_a_locked_row_is_not_waited_for(tables: Settings) -> None:
    with hold_connection():
        held = store_one_of_each()
    with reopened(rotated(tables)), ThreadPoolExecutor(1) as pool:
        # Given a transaction that holds a connection and does not end
        with transaction():
            TAB_CONNECTIONS.update(failures=1).where(TAB_CONNECTIONS.id == held.id).execute()

            # When everything is sealed anew, then the rest is, at once
            sealing = pool.submit(lambda: in_total(reseal_all(100)))
            assert sealing.result(60) == (3, 1, ())

        # And that one when it is free
        assert in_total(reseal_all(100)) == (1, 0, ())


def renew_thrice(rows: list[TAB_CONNECTIONS], number: int) -> list[str]:
    """Sign in again and again; return which tokens were not there any more the next time."""
    lost = []
    for count in range(3 * number, 3 * number + 3):
        for row in rows:
            with hold_connection():
                found = TAB_CONNECTIONS.get_by_id(row.id)
                if opened_refresh_token(found) != f"refresh-{count}":
                    lost.append(f"{row.id} {count}")
                stored_connection(row.provider_subject, grant=grant("a", f"refresh-{count + 1}"))
    return lost


def opened_refresh_token(row: TAB_CONNECTIONS) -> str:
    secret = TAB_CONNECTIONS.refresh_token.open(row)
    assert secret is not None
    return secret.reveal()


def test_tokens_that_are_renewed_all_the_while_are_never_lost(database: Settings) -> None:
    # Given connections
    with hold_connection():
        first = grant("a", "refresh-0")
        rows = [stored_connection(f"account-{number}", grant=first) for number in range(4)]
    settings, lost = database, []
    with reopened(database), ThreadPoolExecutor(1) as pool:
        for number in range(6):
            # When SECRET_KEY is changed, and while their tokens are renewed all is sealed anew
            settings = rotated(settings, str(number) * 32)
            ring = KeyRing(settings.secret_keys())
            bind_tables(the_database.obj, ring)
            renewing = pool.submit(renew_thrice, rows, number)
            while wait([renewing], 0.005).not_done:
                in_total(reseal_all(100))
            lost += renewing.result()

    # Then none of them is ever lost
    assert lost == []


# -- What does not open


def damage(row: TAB_CONNECTIONS, column: SealedField) -> None:
    """Change the last byte of what is sealed."""
    sealed = bytes(getattr(row, column.name))
    changes: dict[str, Any] = {column.name: sealed[:-1] + bytes([sealed[-1] ^ 1])}
    with hold_connection():
        TAB_CONNECTIONS.update(changes).where(TAB_CONNECTIONS.id == row.id).execute()


def test_what_no_key_opens_is_named_and_holds_up_nothing(
    new: Settings, connection: TAB_CONNECTIONS
) -> None:
    # Given a row of which one secret is damaged
    damage(connection, TAB_CONNECTIONS.access_token)

    # When everything is sealed anew, one row at a time
    done, busy, broken = in_total(reseal_all(1))

    # Then the row is named, and all that opens is sealed with the new key, its own rest included
    assert (done, busy) == (4, 0)
    assert broken == (f"connections {connection.id}",)
    with reopened(completed(new)), hold_connection():
        after = TAB_CONNECTIONS.get_by_id(connection.id)
    assert TAB_CONNECTIONS.refresh_token.open(after) == Secret("refresh-1")
    with pytest.raises(SealBroken):
        TAB_CONNECTIONS.access_token.open(after)


@pytest.mark.usefixtures("connection")
def test_without_the_old_key_all_is_named_and_left_as_it_is(
    database: Settings, connection: TAB_CONNECTIONS
) -> None:
    # Given a process that lacks the old key
    with reopened(completed(rotated(database))):
        # When it would seal everything anew
        done, busy, broken = in_total(reseal_all(2))

    # Then it names what it could not open, and a process with the old key reads all as before
    assert (done, busy, len(broken)) == (0, 0, 4)
    assert opened_secrets(connection) == [Secret(text) for text in STORED]


def test_resealing_without_outdated_rows_waits_for_no_lock(database: Settings) -> None:
    # Given a transaction that has written
    with hold_connection():
        row = stored_connection()
    with transaction():
        TAB_CONNECTIONS.update(failures=2).where(TAB_CONNECTIONS.id == row.id).execute()

        # When it is looked for what is to be sealed anew, then there is an answer at once
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: list(reseal_all(100))).result(60) == []
    assert database.database.busy_timeout_seconds > 10
