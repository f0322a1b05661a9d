"""Tests of tokens whose end no answer states: the last known lifetime holds, else a schedule."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actors.providers.config.settings import patch_provider
from actors.renewal.plan.listing import list_renewals
from actors.renewal.renew import renew_connection
from models.oauth.connections import ConnectionStatus
from tests.actors.renewals import HOUR, change, connect, renew_all, tokens_of
from tests.actors.sign_ins import NAME, configure, now, reread, sign_in
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")
SECOND = timedelta(seconds=1)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("lifetime", [3600, 600])
def test_the_last_lifetime_that_was_stated_holds_on(lifetime: int, plain: ScriptedProvider) -> None:
    # Given a sign-in that states a lifetime, and renewals that state none
    plain.script.expires_in = lifetime
    (row,) = connect(plain)
    plain.script.expires_in = None

    # When one renewal follows the other, one of them after a failure
    for failures in (0, 3):
        change(row, failures=failures)
        began = now()
        renew_connection(row.id)

        # Then each token ends when it should, and is renewed before
        stored = reread(row)
        assert stored.expires_at is not None
        assert abs(stored.expires_at - began - timedelta(seconds=lifetime)) < 30 * SECOND
        assert began < stored.renew_at < stored.expires_at


def test_the_stated_lifetime_holds_on_over_the_configured_one_until_another_is_stated(
    plain: ScriptedProvider,
) -> None:
    (row,) = connect(plain)
    patch_provider(NAME, {"default_lifetime_seconds": 100}, now())
    lifetimes = []
    for stated in (None, 7200, None):
        plain.script.expires_in = stated
        began = now()
        renew_connection(row.id)
        lifetimes.append(round((reread(row).expires_at - began) / HOUR))

    assert lifetimes == [1, 2, 2]


def test_a_connection_of_before_lifetimes_were_stored_keeps_that_of_its_token(
    plain: ScriptedProvider,
) -> None:
    (row,) = connect(plain)
    change(row, lifetime_seconds=None)
    plain.script.expires_in = None
    began = now()

    renew_connection(row.id)

    assert abs(reread(row).expires_at - began - HOUR) < 30 * SECOND


@pytest.mark.parametrize(
    ("wishes", "latest", "cause"),
    [
        ({}, 60 * 60, "unknown_end"),
        ({"single_use_refresh_tokens": True}, 60 * 60, "unknown_end"),
        ({"default_lifetime_seconds": 1200}, 20 * 60, "expiry"),
    ],
)
def test_a_refresh_token_without_any_known_end_is_renewed_on_a_schedule(
    wishes: dict[str, Any], latest: int, cause: str, provider: ScriptedProvider
) -> None:
    # Given a provider that never states an end
    configure(provider, **wishes)
    provider.script.expires_in = None
    at = now()

    row = sign_in(provider, now=at).connection

    # Then the connection falls due all the same, as the operator sees
    assert at + timedelta(seconds=latest / 2) < row.renew_at < at + timedelta(seconds=latest)
    [item] = list_renewals(now=at)["items"]
    assert (item["connection_id"], item["hindrance"]) == (row.id, None)
    assert item["cause"] == cause
    # And is renewed, and falls due again
    before = tokens_of(row)
    assert renew_all(row.renew_at) == [None]
    assert tokens_of(row)[0] != before[0]
    assert reread(row).renew_at > row.renew_at
    assert reread(row).status == ConnectionStatus.ACTIVE


def test_a_refresh_token_that_ends_soon_is_used_before_it_does(provider: ScriptedProvider) -> None:
    # Given an answer that states the end of the refresh token alone
    configure(provider)
    provider.script.expires_in = None
    provider.script.token_members = {"refresh_token_expires_in": 900}
    at = now()

    row = sign_in(provider, now=at).connection

    assert (row.expires_at, row.grant_expires_at) == (None, at + timedelta(seconds=900))
    assert row.renew_at < row.grant_expires_at


def test_a_refresh_token_that_stays_in_force_is_used_though_the_new_sign_in_brings_none(
    plain: ScriptedProvider,
) -> None:
    connect(plain)
    plain.script.gives_refresh_token = False
    plain.script.expires_in = None

    (row,) = connect(plain)

    assert row.renew_at is not None
    assert renew_all(row.renew_at) == [None]


@pytest.mark.parametrize("name", ["expires_at", "expires_on", "expiresAt"])
def test_an_end_that_is_stated_as_a_time_is_stored(name: str, provider: ScriptedProvider) -> None:
    configure(provider)
    provider.script.expires_in = None
    end = now() + 2 * HOUR
    provider.script.token_members = {name: end.isoformat()}

    row = sign_in(provider).connection

    assert abs(row.expires_at - end) < 30 * SECOND
    assert row.renew_at < row.expires_at
