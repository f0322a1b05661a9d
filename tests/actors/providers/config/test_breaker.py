"""Tests of the circuit breaker: when it opens, its alarm, its probes, and how it closes."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from actors.connections.errors import ReauthorizationRequired
from actors.connections.token_reading import read_token
from actors.providers.config.breaker import apply_breaker, check_not_paused
from actors.providers.config.breaker_outcomes import FAILURE_THRESHOLD, MAX_PAUSE_SECONDS
from actors.providers.config.lookup import find_provider
from actors.providers.config.manual_pause import pause_provider, resume_provider
from actors.providers.config.settings import (
    describe_provider,
    erase_provider,
    patch_provider,
    put_provider,
)
from actors.providers.errors import ProviderPaused, ProviderRefused, ProviderUnreachable
from actors.renewal.renew import renew_connection, renew_connections
from catfeeder.sealing import Secret
from models.db import database as database_module
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.provider_health import TAB_PROVIDER_HEALTH
from tests.actors.renewals import (
    HOUR,
    connect,
    held_renewal,
    lease_connections,
    lease_one,
    refreshes,
    renew_all,
    renew_one,
)
from tests.actors.sign_ins import NAME, event_kinds, now, reread, stored_connections
from tests.provider.answers import Answer, json_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")

SECOND = timedelta(seconds=1)
DOWN = Answer(503)
BAD_CLIENT = json_answer({"error": "invalid_client"}, 401)


@pytest.fixture
def toml_conf() -> dict[str, Any]:
    """Round numbers."""
    return {"OAuth": {"lease_seconds": 60, "retry_seconds": 30, "retry_cap_seconds": 600}}


def health() -> dict[str, Any]:
    """Return what an operator sees of the provider's renewals."""
    renewals: dict[str, Any] = describe_provider(NAME)["renewals"]
    return renewals


def paused_until() -> datetime:
    return datetime.fromisoformat(health()["paused_until"])


def renew(row: TAB_CONNECTIONS, at: datetime) -> type[Exception] | None:
    """Renew one connection, due or not; return the error, or None."""
    return renew_one(lease_one(row, at, 60 * SECOND), at)


def alarms() -> list[str]:
    return [
        kind for kind in event_kinds() if kind.startswith("provider_") and kind[9:] != "changed"
    ]


# -- When it opens


@pytest.mark.usefixtures("database")
def test_a_client_error_of_two_connections_pauses_the_provider_with_one_event(
    plain: ScriptedProvider,
) -> None:
    # Given a client secret that has expired, and many connections
    connect(plain, 8)
    plain.answer("/token", BAD_CLIENT)
    plain.requests.clear()
    later = now() + HOUR

    # When they fall due
    outcomes = renew_all(later)

    # Then the provider was asked twice, and there is one alarm
    assert outcomes == [*[ProviderRefused] * 2, *[ProviderPaused] * 6]
    assert len(refreshes(plain)) == 2
    assert alarms() == ["provider_paused"]
    shown = health()
    assert (shown["state"], shown["kind"]) == ("open", "client_misconfigured")
    assert "invalid_client" in shown["reason"]
    assert "Check the client's id" in shown["reason"]
    with hold_connection():
        event = TAB_EVENTS.get(TAB_EVENTS.kind == "provider_paused")
    assert (event.provider, event.connection_id) == (NAME, None)
    assert event.detail["failure"] == "client_misconfigured"
    # And sweeps skip its connections until the pause ends
    assert renew_all(paused_until() - SECOND) == []


def test_the_connections_of_a_paused_provider_keep_their_state(plain: ScriptedProvider) -> None:
    at = now()
    rows = connect(plain, 4, now=at)
    plain.answer("/token", BAD_CLIENT)

    renew_all(at + timedelta(minutes=59))

    stored = [reread(row) for row in rows]
    statuses = sorted(str(row.status) for row in stored)
    assert statuses == ["active", "active", "renewal_failing", "renewal_failing"]
    assert event_kinds().count("renewal_failed") == 2
    for row in stored:
        assert row.lease_until is None
        assert read_token(row.id, at + timedelta(minutes=59)).is_usable
        # A row without a request keeps its due time.
        assert row.renew_at is not None
        if row.status == ConnectionStatus.ACTIVE:
            assert (row.failures, row.reason) == (0, None)


@pytest.mark.parametrize(("header", "seconds"), [("120", 120), ("7200", 7200), ("999999", 86400)])
def test_a_pause_lasts_as_long_as_retry_after_up_to_a_day(
    header: str, seconds: int, plain: ScriptedProvider
) -> None:
    connect(plain, 3)
    plain.answer("/token", json_answer({}, 429, Retry_After=header))
    later = now() + HOUR

    assert renew_all(later) == [ProviderUnreachable, ProviderPaused, ProviderPaused]

    assert health()["kind"] == "rate_limited"
    assert paused_until() == later + timedelta(seconds=seconds)


def test_a_429_without_retry_after_pauses_the_provider(plain: ScriptedProvider) -> None:
    connect(plain, 2)
    plain.answer("/token", Answer(429))
    later = now() + HOUR

    assert renew_all(later) == [ProviderUnreachable, ProviderPaused]

    assert 15 * SECOND <= paused_until() - later <= 30 * SECOND


@pytest.mark.parametrize("answer", [DOWN, json_answer({}), json_answer({"error": "odd"}, 400)])
def test_a_run_of_failures_of_several_connections_pauses_the_provider(
    answer: Answer, plain: ScriptedProvider
) -> None:
    connect(plain, FAILURE_THRESHOLD + 3)
    plain.answer("/token", answer)
    plain.requests.clear()

    outcomes = renew_all(now() + HOUR)

    assert outcomes[FAILURE_THRESHOLD:] == [ProviderPaused] * 3
    assert ProviderPaused not in outcomes[:FAILURE_THRESHOLD]
    assert len(refreshes(plain)) == FAILURE_THRESHOLD


def test_a_connection_that_fails_alone_does_not_pause_the_provider(plain: ScriptedProvider) -> None:
    row, other = connect(plain, 2)
    at = now() + HOUR
    for _ in range(FAILURE_THRESHOLD + 1):
        plain.answer("/token", DOWN, times=1)
        assert renew(row, at) is ProviderUnreachable
    assert health()["state"] == "closed"

    # Not even with a client error, once others have been renewed since
    assert renew(other, at) is None
    plain.answer("/token", BAD_CLIENT, times=1)
    assert renew(row, at) is ProviderRefused
    assert health()["state"] == "closed"
    # Once that is long ago, the next failure of another connection does
    at += 10 * 60 * SECOND
    plain.answer("/token", BAD_CLIENT, times=1)
    assert renew(other, at) is ProviderRefused
    assert health()["state"] == "open"


def test_one_connection_pauses_no_provider_by_a_client_error(plain: ScriptedProvider) -> None:
    (row,) = connect(plain)
    plain.answer("/token", DOWN, BAD_CLIENT)
    at = now() + HOUR

    assert renew(row, at) is ProviderUnreachable
    for _ in range(FAILURE_THRESHOLD + 1):
        assert renew(row, at) is ProviderRefused

    assert health()["state"] == "closed"


@pytest.mark.parametrize("answer", [BAD_CLIENT, Answer(400), Answer(401), Answer(403)])
def test_users_who_are_refused_in_a_row_pause_no_provider_that_renews_others(
    answer: Answer, plain: ScriptedProvider
) -> None:
    # Given a provider that has renewed one connection a minute ago
    rows = connect(plain, FAILURE_THRESHOLD + 3)
    at = now() + HOUR
    assert renew(rows[0], at - 60 * SECOND) is None
    # When it refuses many others, one after the other, as it would if their users had gone
    plain.answer("/token", answer)
    assert {renew(row, at) for row in rows[1:]} == {ProviderRefused}
    # Then it is not paused, and one event each says what it answered
    assert health()["state"] == "closed"
    assert alarms() == []
    with hold_connection():
        events = list(TAB_EVENTS.select().where(TAB_EVENTS.kind == "renewal_failed"))
    assert len(events) == FAILURE_THRESHOLD + 2
    assert all(event.detail["answer"].startswith("status 4") for event in events)
    # And it is, once no renewal has succeeded for a while
    later = at + 10 * 60 * SECOND
    for row in rows[1:]:
        renew(row, later)
    assert health()["state"] == "open"


def test_a_success_ends_a_run(plain: ScriptedProvider) -> None:
    rows = connect(plain, FAILURE_THRESHOLD)
    at = now() + HOUR
    for _ in range(3):
        plain.answer("/token", DOWN, times=FAILURE_THRESHOLD - 1)
        for row in rows:
            renew(row, at)
        assert health()["failures"] == 0

    assert alarms() == []


def test_dead_grants_do_not_pause_the_provider(plain: ScriptedProvider) -> None:
    connect(plain, FAILURE_THRESHOLD + 1)
    plain.grants.end_all()

    assert renew_all(now() + HOUR) == [ReauthorizationRequired] * (FAILURE_THRESHOLD + 1)
    assert alarms() == []


def test_a_provider_with_incomplete_settings_is_paused_without_a_request(
    plain: ScriptedProvider,
) -> None:
    connect(plain, 3)
    patch_provider(NAME, {"client_id": None}, now())
    plain.requests.clear()
    later = now() + HOUR

    outcomes = renew_all(later)

    assert len(outcomes) == 3
    assert alarms() == ["provider_paused"]
    assert "has no client_id" in health()["reason"]
    assert renew_all(later + SECOND) == []
    assert plain.requests == []


# -- Probes


def pause(plain: ScriptedProvider, count: int, answer: Answer = BAD_CLIENT) -> datetime:
    """Connect that many users and have the provider paused; return when."""
    connect(plain, count)
    plain.answer("/token", answer)
    later = now() + HOUR
    renew_all(later)
    plain.requests.clear()
    return later


def test_after_each_pause_one_probe_is_sent_and_the_next_pause_is_longer(
    plain: ScriptedProvider,
) -> None:
    at = pause(plain, 4)
    longest = 30
    for _ in range(7):
        began, at = at, paused_until()
        assert longest / 2 <= (at - began).total_seconds() <= longest
        # One connection is tried, and the pause goes on
        assert renew_all(at) == [ProviderRefused]
        longest = min(longest * 2, MAX_PAUSE_SECONDS)

    assert len(refreshes(plain)) == 7
    assert alarms() == ["provider_paused"]


@pytest.mark.usefixtures("database")
def test_a_successful_probe_closes_the_breaker(plain: ScriptedProvider) -> None:
    pause(plain, 6)
    plain.recover("/token")
    at = paused_until()

    # First one, then all others, those that wait after a failure included
    assert renew_all(at) == [None]
    assert renew_all(at) == [None] * 5

    assert alarms() == ["provider_paused", "provider_resumed"]
    assert health() == {
        "state": "closed",
        "failures": 0,
        **dict.fromkeys(("paused_until", "since", "kind", "reason")),
    }


def test_a_probe_that_finds_a_dead_grant_closes_the_breaker(plain: ScriptedProvider) -> None:
    pause(plain, 2)
    plain.recover("/token")
    plain.grants.end_all()

    # Both connections have failed, so the time of the next try of each is drawn at random
    assert renew(stored_connections()[0], paused_until()) is ReauthorizationRequired
    assert health()["state"] == "closed"


def test_during_a_probe_no_other_request_is_sent(plain: ScriptedProvider) -> None:
    pause(plain, 3)
    rows = stored_connections()
    plain.recover("/token")
    at = paused_until()
    with held_renewal(plain, renew, rows[0], at):
        # Then neither a sweep nor a forced renewal sends one
        assert health()["state"] == "half_open"
        assert renew_all(at) == []
        assert renew(rows[1], at) is ProviderPaused
        assert len(refreshes(plain)) == 1

    assert renew(rows[1], at) is None


def test_a_lost_probe_is_followed_by_another(plain: ScriptedProvider) -> None:
    pause(plain, 3)
    plain.recover("/token")
    at = paused_until()
    with hold_connection():
        assert TAB_PROVIDER_HEALTH.find(NAME).begin_probe(at + 60 * SECOND)

    assert renew_all(at + 59 * SECOND) == []
    assert renew_all(at + 60 * SECOND) == [None]
    assert health()["state"] == "closed"


def test_an_inconclusive_probe_leaves_the_breaker_open(plain: ScriptedProvider) -> None:
    # Given a connection whose refresh token cannot be sent
    pause(plain, 3)
    plain.recover("/token")
    row = stored_connections()[0]
    with hold_connection():
        sealed = TAB_CONNECTIONS.refresh_token.seal(row.id, Secret("\n"))
        TAB_CONNECTIONS.update(refresh_token=sealed).where(TAB_CONNECTIONS.id == row.id).execute()
    at = paused_until()

    assert renew(row, at) is not None

    assert health()["state"] == "open"
    assert None in renew_all(at)


def test_a_request_that_began_before_the_pause_changes_nothing(plain: ScriptedProvider) -> None:
    rows = connect(plain, 3)
    at = now() + HOUR
    with held_renewal(plain, renew, rows[0], at):
        plain.answer("/token", BAD_CLIENT)
        renew(rows[1], at)
        renew(rows[2], at)
        before = health()

    assert health() == before
    assert alarms() == ["provider_paused"]


# -- Changes by the operator, and refused requests


def test_a_change_of_settings_ends_the_pause_at_once(plain: ScriptedProvider) -> None:
    at = pause(plain, 3)
    plain.recover("/token")

    patch_provider(NAME, {"client_secret": plain.client_secret}, at + SECOND)

    assert health()["state"] == "closed"
    assert alarms() == ["provider_paused", "provider_resumed"]
    assert renew_all(at + SECOND) == [None] * 3


def test_a_request_that_began_before_a_change_does_not_pause_the_provider(
    plain: ScriptedProvider,
) -> None:
    (row,) = connect(plain)
    plain.answer("/token", BAD_CLIENT)
    with held_renewal(plain, renew, row, now() + HOUR):
        patch_provider(NAME, {"client_secret": plain.client_secret}, now())

    assert health()["state"] == "closed"


def test_erasing_a_provider_erases_its_health(plain: ScriptedProvider) -> None:
    pause(plain, 1)
    with hold_connection():
        TAB_CONNECTIONS.delete().execute()

    erase_provider(NAME)

    with hold_connection():
        assert TAB_PROVIDER_HEALTH.load_all() == {}


def test_a_forced_renewal_of_a_paused_provider_is_refused_with_retry_after(
    plain: ScriptedProvider,
) -> None:
    (row, *_) = connect(plain, 2)
    plain.answer("/token", json_answer({}, 429, Retry_After="300"))
    with pytest.raises(ProviderUnreachable):
        renew_connection(row.id)
    plain.requests.clear()

    for ask in (lambda: renew_connection(row.id), lambda: check_not_paused(NAME, now())):
        with pytest.raises(ProviderPaused, match="rate_limited") as refusal:
            ask()
        assert 200 <= int(refusal.value.headers["Retry-After"]) <= 300
        assert not refusal.value.permanent
    assert plain.requests == []
    # And the refused connection is unchanged
    assert reread(row).lease_until is None
    assert reread(row).failures == 1


def test_a_message_of_a_paused_provider_ends_without_a_request(plain: ScriptedProvider) -> None:
    at = pause(plain, 6)
    message = lease_connections([row for row in stored_connections() if row.renew_at <= at])

    renew_connections(message)

    assert refreshes(plain) == []
    # One was tried, and the leases of the others expire later
    waiting = [row for row in stored_connections() if row.lease_until is not None]
    assert len(waiting) == len(message) - 1


def test_a_paused_provider_delays_no_other_in_the_same_message(plain: ScriptedProvider) -> None:
    # Given one message with connections of two providers, one of them paused
    rows = connect(plain, 4)
    put_provider("other", {**plain.addresses(), **plain.credentials()}, now())
    with hold_connection():
        for row in map(reread, rows[:2]):
            moved = row.sign_changes(provider="other")
            TAB_CONNECTIONS.update(moved).where(TAB_CONNECTIONS.id == row.id).execute()
        TAB_PROVIDER_HEALTH.ensure("other")
        other = TAB_PROVIDER_HEALTH.find("other")
        other.pause(rows[0].id, until=now() + HOUR, kind="transient", reason="away", now=now())

    renew_connections(lease_connections(rows))

    # Then those of the other provider are renewed
    assert [reread(row).version for row in rows] == [1, 1, 2, 2]


def test_an_unreachable_database_does_not_cost_the_token(
    plain: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a run of failures that a success would end
    (row,) = connect(plain)
    plain.answer("/token", DOWN, times=1)
    assert renew(row, now() + HOUR) is ProviderUnreachable
    with hold_connection():
        health = TAB_PROVIDER_HEALTH.find(NAME)
    provider = find_provider(NAME)

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError("gone")

    # When the database fails while the provider answers, then the answer is not lost
    for error in (None, ProviderUnreachable("It does not answer.")):
        with (
            monkeypatch.context() as outage,
            suppress(ProviderUnreachable),
            apply_breaker(provider, health, row.id, now()),
        ):
            outage.setattr(database_module.database.obj, "connect", refuse)
            if error is not None:
                raise error

    assert caplog.text.count("was not recorded") == 2


@pytest.mark.usefixtures("plain")
def test_a_pause_by_hand_outlives_what_was_under_way() -> None:
    # Given a renewal that has begun
    with hold_connection():
        begun = TAB_PROVIDER_HEALTH.find(NAME)
    with apply_breaker(find_provider(NAME), begun, "a", now()):
        # When the operator pauses the provider meanwhile
        pause_provider(NAME, "Mind the cat.", now())
    # Then its success resumes nothing, and no probe ever comes
    for at in (now(), now() + timedelta(days=3650)):
        with pytest.raises(ProviderPaused, match="Mind the cat"):
            check_not_paused(NAME, at)
    resume_provider(NAME, now())
    check_not_paused(NAME, now())
