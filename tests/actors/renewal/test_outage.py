"""Tests of an hour-long outage of a provider: no grant ends, few requests are made, all recover."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

import pytest

from actors.providers.config.breaker_outcomes import FAILURE_THRESHOLD, MAX_PAUSE_SECONDS
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from tests.actors.renewals import HOUR, change, connect, refreshes, renew_all
from tests.actors.sign_ins import event_kinds, now, stored_connections
from tests.provider.answers import Answer, broken_off, html_answer, json_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")

USERS: Final = 15
#: As config.toml has it.
SWEEP: Final = timedelta(seconds=30)
MINUTE: Final = timedelta(minutes=1)
#: Of a token of an hour.
MARGIN: Final = timedelta(minutes=12)
FIRST_PAUSE_SECONDS: Final = 30


@pytest.fixture
def toml_conf() -> dict[str, Any]:
    """The service's own waits, whatever they are by default."""
    return {"OAuth": {"retry_seconds": FIRST_PAUSE_SECONDS}}


def bound(outage: timedelta) -> int:
    """How many requests an outage costs a provider at most, with one worker.

    Those of the run that opens the breaker, and one probe after each pause, of which each is at
    least half of what it has grown to. Each worker's thread may have one more under way.
    """
    waited = 0.0
    for probes in count():
        waited += min(FIRST_PAUSE_SECONDS * 2**probes, MAX_PAUSE_SECONDS) / 2
        if waited > outage.total_seconds():
            return FAILURE_THRESHOLD + probes
    raise AssertionError


def spread_over(rows: list[TAB_CONNECTIONS], begin: datetime, length: timedelta) -> None:
    """Let connections fall due one after the other, as they do that were not made at once."""
    for number, row in enumerate(rows):
        due = begin + length * number / len(rows)
        change(row, renew_at=due, expires_at=due + MARGIN)


def sweep_until(at: datetime, end: datetime) -> datetime:
    """Sweep at its intervals, and renew what it emits."""
    while at < end:
        renew_all(at)
        at += SWEEP
    return at


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503),
        Answer(429),
        html_answer(),
        json_answer({"error": "invalid_client"}, 401),
        json_answer({"error": "temporarily_unavailable"}, 400),
    ],
    ids=["down", "rate", "page", "client", "unavailable"],
)
def test_an_outage_of_an_hour_ends_no_grant(answer: Answer, plain: ScriptedProvider) -> None:
    begin = now()
    spread_over(connect(plain, USERS, now=begin), begin, HOUR)
    plain.requests.clear()

    # When the provider answers nothing of use for an hour in which all tokens fall due
    plain.answer("/token", answer)
    end = sweep_until(begin, begin + HOUR)

    # Then no grant is declared dead, and the provider was asked no more than the breaker allows
    statuses = {row.status for row in stored_connections()}
    assert statuses <= {ConnectionStatus.ACTIVE, ConnectionStatus.RENEWAL_FAILING}
    assert bound(HOUR) == 27 + 4
    assert 10 <= len(refreshes(plain)) <= bound(HOUR)
    assert event_kinds().count("provider_paused") == 1

    # And within one margin of its end all have a fresh token
    plain.recover("/token")
    sweep_until(end, end + MARGIN)
    for row in stored_connections():
        assert row.status == ConnectionStatus.ACTIVE
        assert row.expires_at is not None
        assert row.expires_at > end + MARGIN
    assert event_kinds().count("provider_resumed") == 1
    assert event_kinds().count("renewal_failed") == event_kinds().count("recovered")
    assert "reauthorization_required" not in event_kinds()


def test_a_connection_that_breaks_off_now_and_then_pauses_no_other(plain: ScriptedProvider) -> None:
    # Given a provider that loses every third answer
    begin = now()
    spread_over(connect(plain, 12, now=begin), begin, 2 * MINUTE)
    good = plain.paths["/token"]
    plain.answer("/token", *[answer for _ in range(30) for answer in (good, good, broken_off())])

    # When its tokens fall due
    at = sweep_until(begin, begin + 3 * MINUTE)
    while event_kinds().count("renewed") < 12:
        assert at < begin + HOUR
        at = sweep_until(at, at + MINUTE)

    # Then all are renewed in the end, without a pause
    assert {row.status for row in stored_connections()} == {ConnectionStatus.ACTIVE}
    assert {"renewal_failed", "renewal_retried"} & set(event_kinds())
    assert "provider_paused" not in event_kinds()
