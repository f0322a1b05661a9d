"""Tests of keeping tokens fresh: in time, once, and each row by itself."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import dramatiq
import pytest

from actors.connections.errors import ConnectionBusy, ConnectionUnknown, ReauthorizationRequired
from actors.connections.reading import describe_connection
from actors.oauth.user_info import fetch_user_info
from actors.providers.config.settings import patch_provider
from actors.renewal.leased import renew_leased
from actors.renewal.limits import RenewalLimits
from actors.renewal.renew import renew_connection, renew_connections
from actors.renewal.sweep import renew_oaths, sweep
from catfeeder.errors import SealBroken
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.leases import Lease
from tests.actors.renewals import (
    HOUR,
    begin_and_abandon,
    change,
    connect,
    lease_connections,
    refresh_token_of,
    refreshes,
    renew_all,
    tokens_of,
)
from tests.actors.sign_ins import (
    NAME,
    configure,
    configure_preset,
    event_kinds,
    now,
    reread,
    sign_in,
)
from tests.provider.answers import json_answer
from tests.scripted_provider import ScriptedProvider
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("tables")


# -- A token that falls due


@pytest.mark.usefixtures("database")
def test_a_token_is_renewed_when_it_is_due_and_not_before(plain: ScriptedProvider) -> None:
    # Given a token of an hour
    at = now()
    (row,) = connect(plain, now=at)
    old_token, old_refresh_token = tokens_of(row)
    assert row.renew_at is not None

    # When it is not due, nothing is asked
    assert renew_all(row.renew_at - timedelta(seconds=1)) == []
    assert refreshes(plain) == []

    # When it is, it is renewed
    assert renew_all(row.renew_at) == [None]

    # Then the new one is stored, and the refresh token, of which there was no new one, stays
    token, refresh_token = tokens_of(row)
    assert token != old_token
    assert refresh_token == old_refresh_token
    renewed = reread(row)
    assert renewed.expires_at == row.renew_at + HOUR
    assert row.renew_at < renewed.renew_at < renewed.expires_at
    assert (renewed.status, renewed.lease_until) == (ConnectionStatus.ACTIVE, None)
    assert event_kinds()[-1] == "renewed"
    # And it is not due again
    assert renew_all(row.renew_at) == []
    assert len(refreshes(plain)) == 1


@pytest.mark.parametrize("rotation", ["rotating", "single_use"])
def test_a_rotated_refresh_token_takes_the_place_of_the_old_one(
    rotation: Any, plain: ScriptedProvider
) -> None:
    plain.script.rotation = rotation
    (row,) = connect(plain)

    # When it is renewed three times
    shown = []
    at = now()
    for _ in range(3):
        at += 2 * HOUR
        shown.append(refresh_token_of(row))
        assert renew_all(at) == [None]

    # Then each time the newest was shown, and none twice
    assert shown == refreshes(plain)
    assert len(set(shown)) == 3
    assert plain.grants.refresh_token_reuses == 0


@pytest.mark.parametrize("renewal", ["access_token", "fb_exchange_token"])
def test_an_access_token_of_facebook_is_exchanged(renewal: str, provider: ScriptedProvider) -> None:
    # Given its preset, or a row of an earlier release that says the same by a name
    configure_preset(provider, "facebook", renewal=renewal)
    row = sign_in(provider).connection
    provider.requests.clear()

    assert renew_connection(row.id)["status"] == "active"
    (request,) = provider.requests_for("/token")
    assert request.form["grant_type"] == "fb_exchange_token"


def test_a_narrower_scope_is_stored_and_one_that_is_left_out_stays(plain: ScriptedProvider) -> None:
    (row,) = connect(plain)
    plain.script.tells_scope = False
    renew_connection(row.id)
    assert reread(row).scope == "profile email"

    plain.script.tells_scope = True
    plain.script.granted_scope = "profile"
    renew_connection(row.id)
    assert reread(row).scope == "profile"


# -- Sweeps, batches, leases


@pytest.mark.usefixtures("database")
def test_a_sweep_emits_what_is_due_in_batches_once(plain: ScriptedProvider) -> None:
    rows = connect(plain, 5)
    later = now() + HOUR
    batches: list[list[Lease]] = []

    assert sweep(later, batches.append, limits=RenewalLimits(minimum_messages=1)) == 5

    assert [len(batch) for batch in batches] == [2, 2, 1]
    leases = [lease for batch in batches for lease in batch]
    assert {lease.connection_id for lease in leases} == {row.id for row in rows}
    assert {lease.until for lease in leases} == {later + timedelta(seconds=60)}
    # And what is leased goes to no other message, until the lease runs out
    assert sweep(later + timedelta(seconds=59), batches.append) == 0
    assert sweep(later + timedelta(seconds=60), batches.append) == 5


def test_a_message_that_was_lost_is_made_up_for(plain: ScriptedProvider) -> None:
    (row,) = connect(plain)
    later = now() + HOUR

    # Given a sweep whose message is lost
    assert sweep(later, lambda _: None) == 1
    assert renew_all(later) == []

    # Then the next sweep after the lease does
    assert renew_all(later + timedelta(seconds=60)) == [None]
    assert reread(row).status == ConnectionStatus.ACTIVE


def test_a_message_that_comes_twice_renews_once(plain: ScriptedProvider) -> None:
    connect(plain)
    later = now() + HOUR
    leases: list[Lease] = []
    sweep(later, leases.extend)

    renew_leased(leases[0], later)
    renew_leased(leases[0], later)

    assert len(refreshes(plain)) == 1


def test_a_message_that_comes_too_late_renews_nothing(plain: ScriptedProvider) -> None:
    # Given a lease that ran out and was given to another
    connect(plain)
    later = now() + HOUR
    lost: list[Lease] = []
    sweep(later, lost.extend)
    held: list[Lease] = []
    sweep(later + timedelta(seconds=60), held.extend)

    renew_leased(lost[0], later + timedelta(seconds=61))
    assert refreshes(plain) == []

    renew_leased(held[0], later + timedelta(seconds=61))
    assert len(refreshes(plain)) == 1


@pytest.mark.parametrize("harm", ["dead grant", "broken seal", "provider gone"])
def test_a_row_that_fails_hurts_only_itself(
    harm: str, plain: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    # Given three connections, the first of which cannot be renewed
    bad, *good = connect(plain, 3)
    if harm == "dead grant":
        plain.grants.end(refresh_token_of(bad))
    elif harm == "broken seal":
        change(bad, refresh_token=good[0].refresh_token)
    else:
        change(bad, provider="gone")

    # When the batch is renewed
    renew_connections(lease_connections([bad, *good]))

    # Then the others are, and the log says why it is not
    assert [reread(row).version for row in good] == [2, 2]
    assert reread(bad).version == 1
    assert reread(bad).status != ConnectionStatus.ACTIVE
    (record,) = [entry for entry in caplog.records if entry.name == "actors.renewal.renew"]
    assert bad.id in record.message


def test_a_broken_seal_is_raised_and_tried_again_later(plain: ScriptedProvider) -> None:
    first, second = connect(plain, 2)
    change(first, refresh_token=second.refresh_token)

    with pytest.raises(SealBroken):
        renew_connection(first.id)

    assert reread(first).status == ConnectionStatus.RENEWAL_FAILING


def test_the_sweep_of_the_service_goes_over_the_queue(
    plain: ScriptedProvider, worker: dramatiq.Worker
) -> None:
    del worker
    rows = connect(plain, 3)
    with hold_connection():
        TAB_CONNECTIONS.update(renew_at=now()).execute()

    renew_oaths()

    wait_until(lambda: {reread(row).version for row in rows} == {2})
    assert len(refreshes(plain)) == 3


# -- On request


def test_a_connection_is_renewed_on_request_before_it_is_due(plain: ScriptedProvider) -> None:
    (row,) = connect(plain)

    described = renew_connection(row.id)

    assert described == describe_connection(reread(row))
    assert reread(row).version == 2


def test_a_connection_that_waits_in_a_queue_is_renewed_at_once(plain: ScriptedProvider) -> None:
    # Given a connection that a sweep has leased, and whose message waits in its queue
    (row,) = connect(plain)
    waiting = lease_connections([row])

    # When a caller asks for its renewal, then it is renewed
    assert renew_connection(row.id)["status"] == "active"
    # And the message finds nothing left to do
    renew_connections(waiting)
    assert len(refreshes(plain)) == 1


def test_a_connection_that_is_being_renewed_for_long_is_busy(plain: ScriptedProvider) -> None:
    (row,) = connect(plain)
    begin_and_abandon(row, HOUR)

    with pytest.raises(ConnectionBusy):
        renew_connection(row.id, limits=RenewalLimits(concurrent_seconds=0.2))
    assert refreshes(plain) == []


def test_no_connection_is_not_renewed() -> None:
    with pytest.raises(ConnectionUnknown):
        renew_connection("00000000-0000-4000-8000-000000000000")


def test_a_grant_that_seemed_gone_may_be_renewed_on_request(plain: ScriptedProvider) -> None:
    (row,) = connect(plain)
    plain.answer("/token", json_answer({"error": "invalid_grant"}, 400), times=1)
    with pytest.raises(ReauthorizationRequired):
        renew_connection(row.id)

    assert renew_connection(row.id)["status"] == "active"
    # And the event of its end is followed by one of its recovery
    assert event_kinds()[-3:] == ["reauthorization_required", "renewed", "recovered"]


def test_a_provider_whose_settings_changed_is_asked_what_it_publishes(
    provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    configure(provider)
    row = sign_in(provider).connection
    patch_provider(NAME, {"scopes": ["openid"]}, now())

    with caplog.at_level(logging.WARNING):
        assert renew_all(now() + HOUR) == [None]
    assert caplog.records == []
    assert fetch_user_info(NAME, connection_id=row.id)["subject"]
