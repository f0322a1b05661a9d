"""Events in the console: filtered, and followed live."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

from actors.events.audit import record
from actors.events.kinds import EventKind
from catfeeder.clock import utc_now
from config import Settings
from models import event_search
from models.db.database import hold_connection
from tests.actors.outages import outage
from worker.http.console.words import EVENT_WORDS

REFERENCE = "0123456789"


def write(kind: EventKind, provider: str, reference: str | None = None) -> None:
    """Write an event."""
    with hold_connection():
        record(kind, now=utc_now(), provider=provider, reference=reference, answer="400 no")


def test_events_are_found_by_what_is_known_of_them(operator: httpx.Client) -> None:
    # Given two events, one of a failed sign-in
    write(EventKind.SIGN_IN_REFUSED, "google", REFERENCE)
    write(EventKind.PROVIDER_PAUSED, "github")
    for asked, is_sign_in, is_pause in (
        ({}, True, True),
        ({"q": REFERENCE}, True, False),
        ({"kind": "provider_paused"}, False, True),
        ({"provider": "google", "kind": ""}, True, False),
        ({"q": "admin"}, False, False),
        ({"q": "0" * 36}, False, False),
    ):
        # When they are filtered, then those that match are shown, with what the provider said
        page = operator.get("/console/events", params=asked).text
        assert ("A sign-in failed" in page) == is_sign_in, asked
        assert ("A provider&#39;s renewals paused" in page) == is_pause, asked
        assert ("400 no" in page) == (is_sign_in or is_pause), asked
        assert ("No event" in page) == (not is_sign_in and not is_pause), asked
    assert operator.get("/console/events", params={"kind": "x"}).status_code == 422


def test_a_page_of_events_ends_before_it_has_read_all(
    operator: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an event behind more others than a page reads
    for limit in ("_MAX_READ", "_CHUNK"):
        monkeypatch.setattr(event_search, limit, 3)
    write(EventKind.SIGN_IN_REFUSED, "google")
    for _ in range(5):
        write(EventKind.PROVIDER_PAUSED, "github")
    # When its provider's are looked for, then the first page says that it has not seen all
    first = operator.get("/console/events", params={"provider": "google"})
    assert "Nothing among the latest ones" in first.text
    # And the next one has it
    link = first.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "A sign-in failed" in operator.get(f"/console/events{link}").text


def test_events_are_followed_live(operator: httpx.Client) -> None:
    # Given a page that follows the events of a provider
    page = operator.get("/console/events", params={"provider": "google"}).text
    assert 'data-live="/console/events/live?provider=google"' in page
    with operator.stream("GET", "/console/events/live?provider=google") as stream:
        lines = stream.iter_lines()
        assert "No event" in read_part(lines)
        # When something happens, then it is sent
        write(EventKind.SIGN_IN_REFUSED, "google")
        assert "A sign-in failed" in read_part(lines)


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_while_the_database_is_away_pages_say_what_to_do_and_streams_end_in_peace(
    operator: httpx.Client, app: FastAPI, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a page that is followed, and a database that is gone
    with operator.stream("GET", "/console/events/live") as stream:
        lines = stream.iter_lines()
        assert "No event" in read_part(lines)
        with outage(settings.database_url):
            app.state.overview_feed = None
            # When another is asked for, then it has the remedy in words; so has the overview
            for path, status in (("/console/connections", 503), ("/console", 200)):
                answer = operator.get(path)
                assert answer.status_code == status
                assert "See that the server that DATABASE_URL names runs" in answer.text
                assert "<code>python -m worker config check</code>" in answer.text
            # And the stream ends, which its page notices, without a fault in the log
            assert not any(line.startswith("data:") for line in lines)
    assert not [it for it in caplog.records if it.levelname == "ERROR"]
    # And all goes on once it is back
    assert operator.get("/console/connections").status_code == 200
    with operator.stream("GET", "/console/events/live") as stream:
        assert "No event" in read_part(stream.iter_lines())


def read_part(lines: object) -> str:
    """Return the data of the next message of a stream."""
    found: list[str] = []
    for line in lines:  # type: ignore[attr-defined]
        if line.startswith("data: "):
            found.append(line)
        elif found:
            break
    return "\n".join(found)


def test_each_kind_of_event_has_words() -> None:
    assert set(EVENT_WORDS) == set(EventKind)
