"""Tests of outcomes: a grant that is gone needs its user, and an outage ends no grant."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from actors.connections.errors import ReauthorizationRequired
from actors.connections.reading import describe_connection
from actors.connections.token_reading import read_token
from actors.events.kinds import DELIVERED_KINDS, EventKind
from actors.oauth.exchange import exchange_code
from actors.providers.errors import ProviderMisbehaved, ProviderRefused, ProviderUnreachable
from actors.renewal.renew import renew_connection
from catfeeder.errors import CatFeederError
from models.oauth.connections import ConnectionStatus
from tests.actors.renewals import HOUR, connect, held_renewal, recover_at, renew_all, tokens_of
from tests.actors.sign_ins import come_back, event_kinds, now, reread, sign_in
from tests.provider.answers import Answer, form_answer, html_answer, json_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


# -- Grants that are gone


_DEAD = [
    json_answer({"error": "invalid_grant"}, 400),
    json_answer({"error": "bad_refresh_token"}),
    form_answer({"error": "bad_refresh_token"}),
]


@pytest.mark.parametrize("answer", _DEAD)
def test_a_grant_that_is_gone_needs_the_user(answer: Answer, plain: ScriptedProvider) -> None:
    (row,) = connect(plain)
    plain.answer("/token", answer)

    with pytest.raises(ReauthorizationRequired):
        renew_connection(row.id)

    # Then the connection says so, and the provider is asked no more
    stored = reread(row)
    assert stored.status == ConnectionStatus.REAUTHORIZATION_REQUIRED
    assert "The provider refused the request:" in str(stored.reason)
    assert stored.renew_at is None
    assert renew_all(now() + 1000 * HOUR) == []
    assert event_kinds()[-1] == "reauthorization_required"
    # And the token serves until it ends
    assert read_token(row.id, now()).is_usable
    with pytest.raises(ReauthorizationRequired):
        read_token(row.id, now() + 2 * HOUR)


def test_the_user_brings_a_connection_back(plain: ScriptedProvider) -> None:
    (row,) = connect(plain)
    plain.grants.end_all()
    with pytest.raises(ReauthorizationRequired):
        renew_connection(row.id)

    again = sign_in(plain).connection

    assert again.id == row.id
    assert (again.status, again.reason, again.failures) == (ConnectionStatus.ACTIVE, None, 0)
    assert renew_all(now() + HOUR) == [None]


def test_a_new_sign_in_is_not_undone_by_the_end_of_the_old_one(plain: ScriptedProvider) -> None:
    # Given a renewal of a grant that the provider has ended
    (row,) = connect(plain)
    plain.grants.end_all()
    back = come_back(plain)
    with held_renewal(plain, renew_connection, row.id) as held:
        # And a new sign-in that is done before its answer comes
        exchange_code(**back)
        assert reread(row).version == 2

        # Then the renewal finds that it has been overtaken, which is no failure
        assert held.finish()["status"] == "active"
    assert reread(row).status == ConnectionStatus.ACTIVE


def test_a_dead_grant_is_reported_once(plain: ScriptedProvider) -> None:
    # Given a connection whose grant is dead
    (row,) = connect(plain)
    plain.grants.end_all()
    with pytest.raises(ReauthorizationRequired):
        renew_connection(row.id)
    dead = reread(row)

    # When its renewal is asked for again and again, and the provider is down in between
    dead_grant = json_answer({"error": "invalid_grant"}, 400)
    for answer in (dead_grant, Answer(503), html_answer(), dead_grant):
        plain.answer("/token", answer)
        with pytest.raises(CatFeederError):
            renew_connection(row.id)

    # Then it is what it was, and one event says so
    stored = reread(row)
    assert (stored.status, stored.reason) == (dead.status, dead.reason)
    assert (stored.updated_at, stored.renew_at, stored.lease_until) == (dead.updated_at, None, None)
    assert event_kinds().count("reauthorization_required") == 1
    assert "renewal_failed" not in event_kinds()
    assert recover_at(now() + HOUR) == 0


# -- Failures that may pass


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(503), ProviderUnreachable),
        (Answer(429), ProviderUnreachable),
        (json_answer({"error": "invalid_grant"}, 500), ProviderUnreachable),
        (html_answer(), ProviderMisbehaved),
        (json_answer({}), ProviderMisbehaved),
        # The operator's mistake is not the user's
        (json_answer({"error": "invalid_client"}, 401), ProviderRefused),
        (json_answer({"error": "unauthorized_client"}, 400), ProviderRefused),
        (json_answer({"error": "invalid_request"}, 400), ProviderRefused),
        (json_answer({"error": "incorrect_client_credentials"}), ProviderRefused),
        (Answer(403), ProviderRefused),
    ],
)
def test_an_outage_ends_no_grant(
    answer: Answer, error: type[CatFeederError], plain: ScriptedProvider
) -> None:
    at = now()
    (row,) = connect(plain, now=at)
    tokens = tokens_of(row)
    plain.answer("/token", answer)

    with pytest.raises(error):
        renew_connection(row.id)

    # Then the connection says so, and the token that is there is served
    stored = reread(row)
    assert (stored.status, stored.failures) == (ConnectionStatus.RENEWAL_FAILING, 1)
    assert stored.reason
    assert stored.lease_until is None
    assert tokens_of(row) == tokens
    view = read_token(row.id, at + timedelta(minutes=1))
    assert view.is_usable
    assert view.json["renewal_failing"] is True
    assert describe_connection(stored)["status"] == "renewal_failing"


def test_waits_grow_with_each_failure_and_one_event_is_recorded(plain: ScriptedProvider) -> None:
    (row,) = connect(plain)
    plain.answer("/token", Answer(503))
    at: datetime = now() + HOUR
    waits = []
    for _ in range(7):
        assert renew_all(at) == [ProviderUnreachable]
        again_at = reread(row).renew_at
        assert again_at is not None
        # The provider is not asked before that
        assert renew_all(again_at - timedelta(milliseconds=1)) == []
        waits.append((again_at - at).total_seconds())
        at = again_at

    for wait, longest in zip(waits, (30, 60, 120, 240, 480, 600, 600), strict=True):
        assert 0 <= wait <= longest
    assert reread(row).failures == 7
    # And one event names the change; those of the other attempts reach no webhook
    assert event_kinds().count("renewal_failed") == 1
    assert event_kinds().count("renewal_failed_again") == 6
    assert EventKind.RENEWAL_FAILED_AGAIN not in DELIVERED_KINDS


def test_a_connection_recovers(plain: ScriptedProvider) -> None:
    (row,) = connect(plain)
    plain.answer("/token", Answer(503))
    later = now() + HOUR
    renew_all(later)
    plain.recover("/token")

    assert renew_all(later + timedelta(seconds=30)) == [None]

    stored = reread(row)
    assert (stored.status, stored.failures, stored.reason) == (ConnectionStatus.ACTIVE, 0, None)
    assert read_token(row.id, later).json["renewal_failing"] is False
    assert event_kinds()[-2:] == ["renewed", "recovered"]


@pytest.mark.parametrize(
    ("header", "seconds"), [("300", 300), ("7200", 7200), ("99999999", 86400), ("1", 1)]
)
def test_a_provider_is_not_asked_before_it_wants_to_be(
    header: str, seconds: int, plain: ScriptedProvider
) -> None:
    (row,) = connect(plain)
    plain.answer("/token", json_answer({}, 429, Retry_After=header))
    later = now() + HOUR

    renew_all(later)

    again_at = reread(row).renew_at
    assert again_at is not None
    assert again_at >= later + timedelta(seconds=seconds)
    assert again_at <= later + timedelta(seconds=max(seconds, 30))
