"""Tests of forecasts: the end of a grant is known, and an app is warned 14, 7 and 1 days ahead."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from actors.connections.errors import ReauthorizationRequired
from actors.connections.forecasts import forecast_grants, warn_of_grant_ends
from actors.events.audit import list_events
from actors.renewal.renew import renew_connection
from actors.stopping import clear_stop_request, request_stop
from catfeeder.clock import rfc3339, utc_now
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS
from tests.actors.renewals import change, connect, renew_all
from tests.actors.sign_ins import configure_plain, configure_preset, now, reread, sign_in
from tests.provider.answers import Answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")

DAY = timedelta(days=1)
HALF_YEAR = 181 * DAY


def connect_preset(provider: ScriptedProvider, preset: str) -> tuple[TAB_CONNECTIONS, datetime]:
    """Sign in at a provider of a preset; return the connection and the time."""
    configure_preset(provider, preset)
    at = now()
    return sign_in(provider, now=at).connection, at


def warned() -> list[tuple[str, int]]:
    """Return which connection was warned of at how many days ahead, in order."""
    items = list_events(kind="reauthorization_soon")["items"]
    return [(item["connection_id"], (item["detail"] or {})["days"]) for item in reversed(items)]


def end_of(row: TAB_CONNECTIONS) -> datetime | None:
    """Return when a connection's grant ends, as it is stored now."""
    end: datetime | None = reread(row).grant_expires_at
    return end


# -- When a grant ends


@pytest.mark.parametrize(
    ("preset", "lifetime"),
    [
        ("google", HALF_YEAR),
        ("microsoft", 90 * DAY),
        ("x", HALF_YEAR),
        ("spotify", HALF_YEAR),
        ("facebook", timedelta(seconds=5183944)),
        ("linkedin", timedelta(seconds=5183999)),
        ("discord", None),
        ("gitlab", None),
        ("apple", None),
        ("github", None),
        ("slack", None),
    ],
)
def test_the_end_of_each_presets_grant_is_known_if_it_has_one(
    preset: str, lifetime: timedelta | None, provider: ScriptedProvider
) -> None:
    row, at = connect_preset(provider, preset)
    assert end_of(row) == (None if lifetime is None else at + lifetime)


@pytest.mark.parametrize(
    ("members", "days"),
    [
        ({"refresh_token_expires_in": 365 * 86400}, 365),
        ({"refresh_token_expires_in": str(365 * 86400)}, 365),
        ({"refresh_expires_in": 30 * 86400}, 30),
        ({"x_refresh_token_expires_in": 100 * 86400}, 100),
        ({"refresh_token_expires_in": 30 * 86400, "refresh_expires_in": 9}, 30),
        # Keycloak's value for a token without an end
        ({"refresh_expires_in": 0}, 10),
        ({"refresh_token_expires_in": -1}, 10),
        ({"refresh_token_expires_in": "soon"}, 10),
        ({"refresh_token_expires_in": None}, 10),
        ({}, 10),
    ],
)
def test_the_end_in_an_answer_takes_precedence(
    members: dict[str, Any], days: int, provider: ScriptedProvider
) -> None:
    configure_plain(provider, grant_lifetime_seconds=10 * 86400)
    provider.script.token_members = members
    at = now()

    assert end_of(sign_in(provider, now=at).connection) == at + days * DAY


def test_a_grant_that_counts_from_the_consent_is_not_prolonged_by_a_renewal(
    provider: ScriptedProvider,
) -> None:
    row, at = connect_preset(provider, "spotify")

    assert renew_all(at + DAY) == [None]
    assert end_of(row) == at + HALF_YEAR
    # But by a new consent it is
    sign_in(provider, now=at + 2 * DAY)
    assert end_of(row) == at + 2 * DAY + HALF_YEAR


def test_a_grant_that_ends_when_it_is_not_used_is_prolonged_by_each_renewal(
    provider: ScriptedProvider,
) -> None:
    row, at = connect_preset(provider, "microsoft")

    assert renew_all(at + DAY) == [None]
    assert end_of(row) == at + 91 * DAY


def test_a_connection_without_an_end_gets_it_by_a_renewal(provider: ScriptedProvider) -> None:
    row, at = connect_preset(provider, "google")
    change(row, grant_expires_at=None, warn_at=None)

    assert renew_all(at + DAY) == [None]
    assert end_of(row) == at + DAY + HALF_YEAR
    assert reread(row).warn_at == at + DAY + HALF_YEAR - 14 * DAY


def test_a_consent_without_a_refresh_token_leaves_the_end_of_the_one_that_stays(
    provider: ScriptedProvider,
) -> None:
    configure_plain(provider, grant_idle_lifetime_seconds=90 * 86400)
    at = now()
    row = sign_in(provider, now=at).connection
    provider.script.gives_refresh_token = False

    sign_in(provider, now=at + DAY)
    assert end_of(row) == at + 90 * DAY


def test_a_long_token_is_renewed_once_more_before_its_grant_ends(
    provider: ScriptedProvider,
) -> None:
    # Given a partner of LinkedIn's, whose tokens live 60 days and the refresh token 365
    configure_preset(provider, "linkedin")
    provider.script.gives_refresh_token = True
    at = now()
    provider.script.token_members = {"refresh_token_expires_in": 365 * 86400}
    row = sign_in(provider, now=at).connection
    end = at + 365 * DAY
    # When it is renewed each time that it falls due
    renewals = []
    while (due := reread(row).renew_at) <= end:
        left = int((end - due).total_seconds())
        provider.script.token_members = {"refresh_token_expires_in": left}
        assert renew_all(due) == [None]
        renewals.append(due)
    # Then the last time is shortly before the grant ends, and the last token outlives it
    assert end - 3 * DAY < renewals[-1] < end
    assert len(renewals) == 7
    stored = reread(row)
    assert stored.expires_at > end + 56 * DAY
    assert abs(stored.grant_expires_at - end) < timedelta(seconds=2)


# -- Warnings


@pytest.mark.usefixtures("database")
def test_an_app_is_warned_14_7_and_1_days_ahead_each_once(provider: ScriptedProvider) -> None:
    configure_preset(provider, "spotify")
    at = now()
    row = sign_in(provider, now=at, subject="user-42").connection
    end = at + HALF_YEAR
    moment = timedelta(milliseconds=1)
    # When it is looked for soon ends, often
    for days, expected in ((14, 1), (7, 2), (1, 3)):
        assert warn_of_grant_ends(end - days * DAY - moment) == 0
        assert warn_of_grant_ends(end - days * DAY) == 1
        assert warn_of_grant_ends(end - days * DAY) == 0
        assert len(warned()) == expected
    assert warn_of_grant_ends(end) == 0
    assert warn_of_grant_ends(end + DAY) == 0
    # Then each was recorded once, with its provider and subject
    assert warned() == [(row.id, 14), (row.id, 7), (row.id, 1)]
    event = list_events(kind="reauthorization_soon")["items"][0]
    assert (event["provider"], event["subject"]) == ("scripted", "user-42")
    assert event["detail"] == {"days": 1, "grant_expires_at": rfc3339(end)}


def test_times_that_were_missed_are_made_up_for_once(provider: ScriptedProvider) -> None:
    row, at = connect_preset(provider, "spotify")
    end = at + HALF_YEAR

    assert warn_of_grant_ends(end - 3 * DAY) == 1
    assert warned() == [(row.id, 7)]
    assert warn_of_grant_ends(end - DAY) == 1
    assert warned() == [(row.id, 7), (row.id, 1)]


def test_a_renewal_that_leaves_the_end_causes_no_new_warning(provider: ScriptedProvider) -> None:
    # Given a grant whose remaining life is in each answer, a little off each time
    configure_plain(provider)
    provider.script.token_members = {"refresh_token_expires_in": 15 * 86400}
    at = now()
    row = sign_in(provider, now=at).connection
    assert warn_of_grant_ends(at + DAY) == 1
    # When it is renewed, and warnings are looked for again
    provider.script.token_members = {"refresh_token_expires_in": 14 * 86400 + 120}
    assert renew_all(at + DAY) == [None]
    assert warn_of_grant_ends(at + DAY + timedelta(minutes=5)) == 0
    assert warned() == [(row.id, 14)]


def test_a_new_grant_is_warned_of_anew(provider: ScriptedProvider) -> None:
    row, at = connect_preset(provider, "spotify")
    warn_of_grant_ends(at + HALF_YEAR - DAY)

    sign_in(provider, now=at + HALF_YEAR - DAY)
    assert warn_of_grant_ends(at + HALF_YEAR) == 0
    assert warn_of_grant_ends(at + 2 * HALF_YEAR - 14 * DAY) == 1
    assert warned() == [(row.id, 1), (row.id, 14)]


def test_a_grant_that_is_dead_over_or_short_is_not_warned_of(provider: ScriptedProvider) -> None:
    # Given grants that end in an hour, that are dead, and that have ended without a look
    configure_plain(provider)
    provider.script.gives_refresh_token = False
    at = now()
    rows = connect(provider, 3, now=at)
    assert end_of(rows[0]) == at + timedelta(hours=1)
    assert reread(rows[0]).warn_at is None
    change(rows[1], status="reauthorization_required", grant_expires_at=at + 14 * DAY, warn_at=at)
    change(rows[2], grant_expires_at=at - DAY, warn_at=at - 2 * DAY)
    # Then there is no warning, now or later
    assert warn_of_grant_ends(at) == 0
    assert [reread(row).warn_at for row in rows[1:]] == [at + 7 * DAY, None]
    assert warned() == []


@pytest.mark.usefixtures("database")
def test_processes_that_look_at_once_warn_once(provider: ScriptedProvider) -> None:
    configure_preset(provider, "spotify")
    at = now()
    rows = connect(provider, 8, now=at)
    ready = threading.Barrier(4)

    def look(_: int) -> int:
        ready.wait()
        return warn_of_grant_ends(at + HALF_YEAR - 7 * DAY)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(look, range(4))) == 8
    assert sorted(warned()) == sorted((row.id, 7) for row in rows)


class TestWebhook:
    """A service with a webhook."""

    @pytest.fixture
    def toml_conf(self) -> dict[str, Any]:
        """There is a webhook."""
        return {"OAuth": {"webhook_url": "https://app.example.com/hook"}}

    def test_the_webhook_gets_the_warning(self, provider: ScriptedProvider) -> None:
        configure_preset(provider, "spotify")
        row = sign_in(provider).connection
        change(row, grant_expires_at=utc_now() + 6 * DAY, warn_at=utc_now())

        forecast_grants()
        assert warned() == [(row.id, 7)]
        with hold_connection():
            event = TAB_EVENTS.get(TAB_EVENTS.kind == "reauthorization_soon")
        assert event.deliver_at is not None


def test_a_stop_leaves_the_warnings_to_the_next_process(provider: ScriptedProvider) -> None:
    # Given a warning that is due in a process that stops
    configure_preset(provider, "spotify")
    row = sign_in(provider).connection
    change(row, grant_expires_at=utc_now() + 6 * DAY, warn_at=utc_now())
    request_stop()
    try:
        forecast_grants()
        assert warned() == []
    finally:
        clear_stop_request()

    # Then the next one makes up for it
    forecast_grants()
    assert warned() == [(row.id, 7)]


# -- After the end


def test_a_grant_that_has_ended_is_not_tried_for_ever(provider: ScriptedProvider) -> None:
    # Given a provider that is away, and grants that end today, and have ended more than a week ago
    configure_preset(provider, "spotify")
    at = now()
    today, long_ago = connect(provider, 2, now=at)
    change(today, grant_expires_at=at + DAY)
    change(long_ago, grant_expires_at=at - 8 * DAY)
    provider.answer("/token", Answer(503))
    # When renewal fails
    renew_all(at + DAY)
    # Then the one may live on, since ends are counted by documentation, and the other does not
    assert reread(today).status == "renewal_failing"
    stored = reread(long_ago)
    assert stored.status == "reauthorization_required"
    assert "reached its end" in str(stored.reason)
    assert stored.renew_at is None
    event = list_events(kind="reauthorization_required")["items"][0]
    assert (event["connection_id"], (event["detail"] or {})["reason"]) == (
        long_ago.id,
        "grant_ended",
    )


def test_a_grant_that_lives_longer_than_forecast_is_renewed(provider: ScriptedProvider) -> None:
    configure_preset(provider, "spotify")
    row = sign_in(provider).connection
    change(row, grant_expires_at=now() - 30 * DAY)

    assert renew_connection(row.id)["status"] == "active"
    provider.grants.end_all()
    with pytest.raises(ReauthorizationRequired):
        renew_connection(row.id)
