"""Refused alone: a connection that is refused for long, while others are renewed, asks its user."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Final

import pytest

from actors.providers.config.settings import patch_provider
from actors.renewal.leased import renew_leased
from catfeeder.errors import CatFeederError
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from tests.actors.renewals import HOUR, connect, lease_one
from tests.actors.sign_ins import NAME, event_kinds, now, reread
from tests.provider.answers import Answer, json_answer
from tests.provider.server import Request
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


REFUSALS: Final = {
    "bare": Answer(400),
    "unauthorized": Answer(401),
    "unknown": json_answer({"errors": [{"code": "E17", "message": "No."}]}, 403),
    "github": json_answer({"error": "unheard_of"}, 200),
}


def renew(row: TAB_CONNECTIONS, at: datetime) -> None:
    """Renew a connection, due or not, whatever comes of it."""
    with suppress(CatFeederError):
        renew_leased(lease_one(row, at), at)


@pytest.mark.parametrize("name", REFUSALS)
def test_a_connection_that_is_refused_alone_for_long_asks_its_user(
    name: str, plain: ScriptedProvider
) -> None:
    row, other = connect(plain, 2)
    at = now()
    # Given a provider that renews one connection, and refuses another in words that say nothing
    for hour in range(1, 25):
        plain.answer("/token", plain.paths["/token"])
        renew(other, at + hour * HOUR)
        plain.answer("/token", REFUSALS[name])
        renew(row, at + hour * HOUR)
        assert reread(row).status == ConnectionStatus.RENEWAL_FAILING
    # When that has gone on for a day
    renew(row, at + 25 * HOUR)
    # Then its user is asked, once, with the provider's last words
    stored = reread(row)
    assert stored.status == ConnectionStatus.REAUTHORIZATION_REQUIRED
    assert stored.reason is not None
    assert "while others were renewed" in stored.reason
    assert event_kinds().count("reauthorization_required") == 1


def test_a_connection_that_is_refused_with_all_others_asks_no_user(plain: ScriptedProvider) -> None:
    # Given a provider that refuses all for two days
    row, other = connect(plain, 2)
    plain.answer("/token", Answer(400))
    at = now() + HOUR
    for hour in range(48):
        for one in (row, other):
            renew(one, at + hour * HOUR)

    assert {reread(one).status for one in (row, other)} == {ConnectionStatus.RENEWAL_FAILING}


def test_an_outage_is_no_refusal(plain: ScriptedProvider) -> None:
    # Given a connection that met an outage of a day, and is refused once after it
    row, other = connect(plain, 2)
    at = now() + HOUR
    plain.answer("/token", Answer(503))
    for hour in range(30):
        renew(row, at + hour * HOUR)
    at += 31 * HOUR
    plain.recover("/token")
    renew(other, at)
    plain.answer("/token", Answer(400))
    renew(row, at)
    # Then it is tried again
    assert reread(row).status == ConnectionStatus.RENEWAL_FAILING


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("status 500", Answer(500)),
        ("session_gone", json_answer({"fault": {"reason": "SESSION_GONE"}}, 500)),
        ("status 429", Answer(429)),
    ],
)
def test_an_operator_may_say_that_a_status_means_a_dead_grant(
    word: str, answer: Answer, plain: ScriptedProvider
) -> None:
    (row,) = connect(plain)
    patch_provider(NAME, {"failure_kinds": {word: "grant_dead"}}, now())
    plain.answer("/token", answer)

    renew(row, now() + HOUR)

    assert reread(row).status == ConnectionStatus.REAUTHORIZATION_REQUIRED


def test_one_event_says_what_the_provider_answered_without_the_token(
    plain: ScriptedProvider,
) -> None:
    # Given a provider that repeats what it was sent
    (row,) = connect(plain)

    def repeat(request: Request) -> Answer:
        said = f"Not mine: {request.form['refresh_token']}."
        return json_answer({"error": "E_42", "error_description": said}, 400)

    plain.answer("/token", repeat)
    # When it refuses a renewal again and again
    for hour in range(1, 4):
        renew(row, now() + hour * HOUR)
    # Then one event has its words
    with hold_connection():
        events = list(TAB_EVENTS.select().where(TAB_EVENTS.kind == "renewal_failed"))
    assert [event.detail["answer"] for event in events] == [
        "status 400; error: E_42; error_description: Not mine: …"
    ]
