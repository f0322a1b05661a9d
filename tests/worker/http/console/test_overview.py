"""The overview: what it shows of the service, what it says is wrong, and how it is kept live."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import dramatiq
import httpx
import pytest
from fastapi import FastAPI

from actors.events.audit import build_event
from actors.events.kinds import EventKind
from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.messages import RENEW_OATHS
from models.crons import claim_tick, ensure_cron
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.provider_health import TAB_PROVIDER_HEALTH
from tests.waiting import wait_until
from tests.worker.http.serving import served
from tests.worker.http.visits import sign_in
from worker.http.console import live


@pytest.fixture
def looker(operator: httpx.Client, app: FastAPI) -> httpx.Client:
    """An operator who comes to a process at which nobody has looked in the last seconds."""
    app.state.overview_feed = None
    return operator


def _text(page: httpx.Response) -> str:
    """Return what a page says, on one line."""
    return " ".join(re.sub("<[^>]+>", " ", page.text).split())


def _look_once_counted(looker: httpx.Client, counted: str) -> httpx.Response:
    """Return the page once its counts, which come from the background, have arrived."""
    pages: list[httpx.Response] = []

    def is_counted() -> bool:
        pages.append(looker.get("/console"))
        return counted in pages[-1].text

    wait_until(is_counted)
    return pages[-1]


def test_it_shows_what_each_part_of_the_service_does(
    looker: httpx.Client, client: Client, worker: dramatiq.Worker
) -> None:
    # Given work done, a cron that has ticked, renewals, and an event that waits for a webhook
    assert worker
    now = utc_now()
    client.hash_password("hunter2", rounds=4).result(timeout=60)
    with hold_connection():
        ensure_cron(RENEW_OATHS.name, now)
        claim_tick(RENEW_OATHS.name, timedelta(seconds=30), now)
        kinds = [EventKind.RENEWED] * 3 + [EventKind.RENEWAL_FAILED]
        TAB_EVENTS.insert_rows([build_event(kind, now=now) for kind in kinds])
    # When the page is looked at
    page = _look_once_counted(looker, "3 done and 1 failed")
    text = _text(page)
    # Then it has the queues with their workers, and the connections by state
    assert "passwords 0 \u2013 " in text
    assert re.search(r"active 0 .* reauthorization required 0", text)
    # And the last hour's renewals as a chart, with a name and a table
    assert (
        'role="img" aria-label="Renewals in each minute of the last hour: 3 done and 1 failed'
        in (page.text)
    )
    assert page.text.count("<rect") == 2
    assert 'style="' not in page.text
    # And the schedule with its last and next tick, and what runs in which version
    for tick in (now, now + timedelta(seconds=30)):
        at = tick.replace(microsecond=tick.microsecond // 1000 * 1000)
        assert f'<time datetime="{at.isoformat()}">' in page.text
    assert re.search(r"web \d\S* 1", text)
    assert re.search(r"worker of passwords, oauth, renewals, control \d\S* 1", text)


def test_what_is_wrong_is_on_top_with_its_remedy(
    looker: httpx.Client, http: httpx.Client, client: Client
) -> None:
    # Given a service without workers, with a paused queue, a late schedule, a provider that is
    # held, and events that no webhook has taken for an hour
    now = utc_now()
    client.hash_password("hunter2")
    http.post("/v1/queues/oauth/pause")
    with hold_connection():
        ensure_cron(RENEW_OATHS.name, now - timedelta(hours=1))
        TAB_PROVIDER_HEALTH.ensure("house")
        TAB_PROVIDER_HEALTH.hold("house", "Their maintenance.", now)
        event = build_event(EventKind.REVOKED, now=now - timedelta(hours=1))
        TAB_EVENTS.insert_rows([event | {"deliver_at": now}])
    # When the page is looked at
    text = _text(_look_once_counted(looker, "lacks 1 event"))
    # Then each is told of, what stands still first, with what to do
    sentences = (
        "No worker performs the queue passwords: 1 message waiting. Start the line of the Procfile",
        "The queue oauth is paused since",
        "The schedule stands still: renew_oaths was due at",
        "Renewals with house are paused: Their maintenance. They were paused by hand",
        "The webhook of the app default lacks 1 event since",
    )
    assert "house paused by hand until it is resumed" in text
    places = [text.find(sentence) for sentence in sentences]
    assert -1 not in places
    assert max(places[:3]) < min(places[3:])
    assert max(places) < text.index("Connections State")
    assert "Nothing is wrong" not in text


def test_it_is_sent_anew_to_all_viewers(operator: httpx.Client, client: Client) -> None:
    # Given a viewer of the page
    with operator.stream("GET", "/console/live") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        first = _next_event(lines)
        assert "passwords</a>" in first
        # When a job is asked for
        client.hash_password("hunter2")
        # Then the next event says so
        assert "1 message waiting" in _next_event(lines)


def _next_event(lines: Iterator[str]) -> str:
    found: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            found.append(line)
        elif found:
            return "\n".join(found)
    raise AssertionError("the stream has ended")


def test_an_open_stream_does_not_delay_the_end_of_the_server(app: FastAPI) -> None:
    # Given a server with a viewer, which gives open requests a second at its end
    with ExitStack() as server, ExitStack() as browser:
        url = server.enter_context(served(app))
        viewer = browser.enter_context(httpx.Client(base_url=url, follow_redirects=True))
        sign_in(viewer)
        stream = browser.enter_context(viewer.stream("GET", "/console/live"))
        lines = stream.iter_lines()
        _next_event(lines)
        # When the server is told to end
        began = time.monotonic()
        server.close()
        # Then it has ended before that second, and the stream in good order
        assert time.monotonic() - began < 0.9
        assert list(lines) == []


def test_a_service_that_drains_ends_its_streams(operator: httpx.Client, app: FastAPI) -> None:
    with operator.stream("GET", "/console/live") as stream:
        lines = stream.iter_lines()
        _next_event(lines)
        app.state.shim.draining.has_begun = True
        # Then the stream comes to its end, and no other begins
        assert list(lines) == []
    assert operator.get("/console/live").status_code == 503


def test_a_process_has_so_many_streams(
    operator: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_STREAMS", 1)
    with operator.stream("GET", "/console/live") as stream:
        lines = stream.iter_lines()
        _next_event(lines)
        refused = operator.get("/console/live")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "10"
    # And its place is free again once the viewer has left
    wait_until(lambda: not live._open)
