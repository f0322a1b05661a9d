"""Retention: what is old or dead is erased, and nothing else."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from actors.events.audit import list_events, record
from actors.events.kinds import EventKind
from actors.oauth.sign_in import begin_sign_in
from actors.upkeep import cleanup
from actors.upkeep.cleanup import clean_events, clean_tokens, clean_verification
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.connections import ConnectionStatus
from models.oauth.sign_ins import TAB_VERIFICATION
from models.webhook_deliveries import TAB_WEBHOOK_DELIVERIES, DeliveryStatus
from tests.actors.renewals import change, connect
from tests.actors.sign_ins import NAME, configure_plain, now, reread, stored_connections
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("database")


def test_sign_ins_that_have_expired_are_erased(
    provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a sign-in that began eleven minutes ago, and one that began now
    configure_plain(provider)
    begin_sign_in(NAME, now=now() - timedelta(minutes=11))
    recent = begin_sign_in(NAME, now=now())

    with caplog.at_level(logging.INFO, cleanup.__name__):
        clean_verification()

    with hold_connection():
        assert TAB_VERIFICATION.select().count() == 1
        assert TAB_VERIFICATION.find(Secret(recent.state))
    assert "1 expired" in caplog.text


def test_connections_that_have_long_been_dead_are_erased(provider: ScriptedProvider) -> None:
    # Given connections of each status that changed last, and whose tokens ran out, 31 days ago
    configure_plain(provider)
    long_ago = now() - timedelta(days=31)
    old = {"updated_at": long_ago, "expires_at": long_ago}
    rows = connect(provider, len(ConnectionStatus) + 2)
    for row, status in zip(rows, ConnectionStatus, strict=False):
        change(row, status=status, **old)
    # And a dead one of today, and one whose token still works
    recent, working = rows[-2:]
    change(recent, status=ConnectionStatus.REVOKED, expires_at=long_ago)
    change(working, status=ConnectionStatus.REAUTHORIZATION_REQUIRED, updated_at=long_ago)

    clean_tokens()

    left = {row.id for row in stored_connections()} - {recent.id, working.id}
    statuses = {reread(row).status for row in rows if row.id in left}
    assert len(stored_connections()) == len(left) + 2
    assert statuses == {"active", "renewal_failing", "ended"}


def write_old_events() -> None:
    """Write an old event that was delivered, an old one that was not, and one of today."""
    long_ago = now() - timedelta(days=91)
    with hold_connection():
        for provider, at in (("sent", long_ago), ("unsent", long_ago), ("recent", now())):
            record(EventKind.RENEWED, now=at, provider=provider)
        TAB_EVENTS.update(deliver_at=long_ago).where(TAB_EVENTS.provider == "unsent").execute()


def left_events() -> list[str]:
    return sorted(str(event["provider"]) for event in list_events()["items"])


def test_events_are_erased_after_three_months(caplog: pytest.LogCaptureFixture) -> None:
    write_old_events()

    with caplog.at_level(logging.INFO, cleanup.__name__):
        clean_events()

    # Where there is no webhook, none of them waits for it
    assert left_events() == ["recent"]
    assert "2 old events" in caplog.text


def test_a_delivery_is_forgotten_with_the_events() -> None:
    # Given deliveries of before and within the time that events are kept
    with hold_connection():
        for days in (91, 1):
            record(EventKind.RECOVERED, now=now())
            event = TAB_EVENTS.select().order_by(TAB_EVENTS.id.desc()).get()
            answered_at = now() - timedelta(days=days)
            TAB_WEBHOOK_DELIVERIES.note(event, DeliveryStatus.DELIVERED, 204, None, answered_at)

    clean_events()

    with hold_connection():
        assert [row.event_id for row in TAB_WEBHOOK_DELIVERIES.select()] == [event.id]


def test_the_event_of_a_renewal_is_kept_for_a_week() -> None:
    # Given a renewal and a failure of eight days ago, and a renewal of six
    with hold_connection():
        record(EventKind.RENEWED, now=now() - timedelta(days=8), provider="long ago")
        record(EventKind.RENEWAL_FAILED, now=now() - timedelta(days=8), provider="failure")
        record(EventKind.RENEWED, now=now() - timedelta(days=6), provider="lately")

    clean_events()

    assert left_events() == ["failure", "lately"]


class TestWithWebhook:
    """A service with webhook_url."""

    @pytest.fixture
    def toml_conf(self, toml_conf: dict[str, Any]) -> dict[str, Any]:
        """A receiver that is never called."""
        return {**toml_conf, "OAuth": {"webhook_url": "https://app.example.com/hook"}}

    def test_an_event_that_is_not_delivered_yet_is_kept(self) -> None:
        write_old_events()

        clean_events()

        assert left_events() == ["recent", "unsent"]


def test_there_may_be_nothing_to_erase() -> None:
    clean_verification()
    clean_tokens()
    clean_events()
