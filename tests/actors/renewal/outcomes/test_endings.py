"""Tests of tokens that nothing can renew: they serve until they run out, and nothing is wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actors.connections.errors import ReauthorizationRequired
from actors.connections.reading import describe_connection
from actors.connections.token_reading import read_token
from actors.providers.config.settings import patch_provider
from actors.renewal.renew import renew_connection, renew_connections
from actors.renewal.request import RefreshTokenMissing
from actors.upkeep.cleanup import clean_tokens
from models.oauth.connections import ConnectionStatus
from tests.actors.renewals import HOUR, change, connect, lease_connections, refreshes, renew_all
from tests.actors.sign_ins import NAME, event_kinds, now, reread, sign_in, stored_connections
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


@pytest.fixture
def sign_in_only(plain: ScriptedProvider) -> ScriptedProvider:
    """A provider that gives no refresh tokens."""
    plain.script.gives_refresh_token = False
    return plain


@pytest.mark.parametrize("expires_in", [None, 3600])
def test_a_token_that_works_and_cannot_be_renewed_stays_as_it_is(
    expires_in: int | None, sign_in_only: ScriptedProvider
) -> None:
    # Given a token without a refresh token
    sign_in_only.script.expires_in = expires_in
    (row,) = connect(sign_in_only)
    sign_in_only.requests.clear()
    events = event_kinds()

    # When its renewal is asked for, by a request and by a sweep
    with pytest.raises(RefreshTokenMissing, match="nothing to renew this token with"):
        renew_connection(row.id)
    renew_connections(lease_connections([row]))

    # Then nothing has changed, and nobody was asked
    assert reread(row).__data__ == row.__data__
    assert (event_kinds(), sign_in_only.requests) == (events, [])
    # And it is served, and kept, as long as it works
    change(row, updated_at=now() - timedelta(days=300))
    clean_tokens()
    assert read_token(row.id, now()).is_usable
    assert not read_token(row.id, now()).is_stale


@pytest.mark.usefixtures("database")
def test_a_token_that_runs_out_ends_its_connection_and_nothing_is_wrong(
    sign_in_only: ScriptedProvider,
) -> None:
    (row,) = connect(sign_in_only)
    sign_in_only.requests.clear()
    events = event_kinds()

    # When it has run out, and not before
    assert renew_all(row.expires_at - timedelta(milliseconds=1)) == []
    assert renew_all(row.expires_at) == [RefreshTokenMissing]

    stored = reread(row)
    assert (stored.status, stored.reason, stored.failures) == (ConnectionStatus.ENDED, None, 0)
    assert (stored.renew_at, stored.lease_until) == (None, None)
    assert describe_connection(stored)["status"] == "ended"
    assert event_kinds() == [*events, "ended"]
    assert sign_in_only.requests == []
    # And it is told once, whatever is asked
    later = row.expires_at + HOUR
    with pytest.raises(ReauthorizationRequired, match="has run out"):
        read_token(row.id, later)
    with pytest.raises(RefreshTokenMissing):
        renew_connection(row.id)
    assert renew_all(later) == []
    assert event_kinds() == [*events, "ended"]
    # And the account stays known, and comes back with the next sign-in
    change(row, updated_at=now() - timedelta(days=300))
    clean_tokens()
    assert [kept.id for kept in stored_connections()] == [row.id]
    assert sign_in(sign_in_only).connection.status == ConnectionStatus.ACTIVE


def test_a_plan_of_before_leads_to_no_end_before_the_token_has_run_out(
    sign_in_only: ScriptedProvider,
) -> None:
    # Given a connection that an earlier version wanted to renew before its end
    (row,) = connect(sign_in_only)
    change(row, renew_at=row.expires_at - HOUR / 4)

    assert renew_all(row.expires_at - HOUR / 4) == [RefreshTokenMissing]

    assert (reread(row).status, reread(row).renew_at) == (ConnectionStatus.ACTIVE, row.expires_at)


def test_a_provider_that_does_not_renew_is_not_asked(plain: ScriptedProvider) -> None:
    # Given a provider that gives refresh tokens which are not to be used
    patch_provider(NAME, {"renewal": "none"}, now())
    (row,) = connect(plain)
    assert row.renew_at == row.expires_at

    with pytest.raises(RefreshTokenMissing):
        renew_connection(row.id)
    assert renew_all(row.expires_at) == [RefreshTokenMissing]
    assert (refreshes(plain), reread(row).status) == ([], ConnectionStatus.ENDED)

    # When they may be used after all, then its renewal can be asked for
    patch_provider(NAME, {"renewal": "refresh_token"}, now())
    renew_connection(row.id)
    assert reread(row).status == ConnectionStatus.ACTIVE
    assert event_kinds()[-2:] == ["renewed", "recovered"]
