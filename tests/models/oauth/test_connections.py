"""Tests of users' connections: one an account and subject, listed in order, erased when dead."""

from __future__ import annotations

import pytest

from catfeeder.sealing import Secret
from config import Settings
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from tests.models.races import race_processes, race_threads
from tests.models.rows import grant, rewrite, stored_connection
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("held")

# -- Which connection a sign-in belongs to


def test_a_subjects_own_connection_comes_before_one_without_any() -> None:
    # Given an account that user-1 is connected to, and that signed in without a subject before
    unnamed = stored_connection(subject="", now=NOW)
    rewrite(TAB_CONNECTIONS, provider_subject="hidden")
    mine = stored_connection(subject="user-1", now=NOW)
    [hidden] = TAB_CONNECTIONS.select().where(TAB_CONNECTIONS.id == unnamed.id)
    shown = hidden.sign_changes(provider_subject="account-1")
    TAB_CONNECTIONS.update(shown).where(TAB_CONNECTIONS.id == unnamed.id).execute()

    # When user-1 signs in again
    again = stored_connection(subject="user-1", now=NOW + MINUTE)

    # Then the one without a subject stays without
    assert again.id == mine.id != unnamed.id


def test_a_sign_in_without_a_subject_updates_the_accounts_latest_connection() -> None:
    stored_connection(subject="user-1", now=NOW)
    latest = stored_connection(subject="user-2", now=NOW + SECOND)

    again = stored_connection(subject="", grant=grant("access-2"), now=NOW + MINUTE)

    assert (again.id, again.subject) == (latest.id, "user-2")
    assert TAB_CONNECTIONS.access_token.open(again) == Secret("access-2")


def test_first_sign_ins_at_once_make_one_connection() -> None:
    # When the first sign-ins of new accounts arrive several times at once
    for number in range(10):
        account = f"account-{number}"
        ids = race_threads(4, lambda _, a: stored_connection(a, subject="user-1").id, account)

        # Then each account has one connection, which saw every grant
        assert len(set(ids)) == 1
        assert TAB_CONNECTIONS.get_by_id(ids[0]).version == 4


def test_subjects_that_sign_in_at_once_do_not_take_each_others_connection() -> None:
    for number in range(10):
        # Given a connection without a subject
        account = f"account-{number}"
        stored_connection(account, subject="")

        # When two subjects sign in with its account at once
        ids = race_threads(2, lambda n, a: stored_connection(a, subject=f"user-{n}").id, account)

        # Then one adopts it, and the other gets a connection of its own
        assert [TAB_CONNECTIONS.get_by_id(i).subject for i in ids] == ["user-0", "user-1"]


def sign_in_often(accounts: int) -> list[str]:
    """Sign in to each account, as one process of several does."""
    return [stored_connection(f"account-{number}").id for number in range(accounts)]


def test_processes_that_sign_in_the_same_accounts_share_their_connections(tables: Settings) -> None:
    first, second = race_processes(2, tables, sign_in_often, 20)

    assert first == second


# -- Counting and erasing


@pytest.mark.parametrize("status", list(ConnectionStatus))
def test_what_is_dead_for_long_enough_is_erased(status: ConnectionStatus) -> None:
    # Given a connection that changed last just now
    stored_connection()
    TAB_CONNECTIONS.update(status=status).execute()

    # Then nothing is erased that is not older than the time named
    assert TAB_CONNECTIONS.erase_dead(NOW) == 0
    # And what may yield a token again is never erased
    ended = (ConnectionStatus.REAUTHORIZATION_REQUIRED, ConnectionStatus.REVOKED)
    is_dead = status in (*ended, ConnectionStatus.PENDING)
    # Nor is what works
    TAB_CONNECTIONS.update(expires_at=NOW + SECOND).execute()
    assert TAB_CONNECTIONS.erase_dead(NOW + SECOND) == 0
    TAB_CONNECTIONS.update(expires_at=NOW).execute()
    assert TAB_CONNECTIONS.erase_dead(NOW + SECOND) == int(is_dead)
