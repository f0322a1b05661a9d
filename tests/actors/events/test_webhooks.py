"""Webhook: signed as docs/webhooks.md verifies, retried, once at a time, and no SSRF."""

from __future__ import annotations

import base64
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import pytest

import config
from actors.apps.registration import AppInvalid, change_app, create_app
from actors.apps.settings import forget_app_settings
from actors.events.audit import list_events, record
from actors.events.deliveries import list_deliveries, resend_deliveries
from actors.events.kinds import EventKind
from actors.events.webhooks import deliver_events, export_webhook_key, sign_delivery
from actors.stopping import clear_stop_request, request_stop
from catfeeder.queue.requester import act_for
from config import ROOT, Settings
from models.apps import TAB_APPS
from models.db.database import database as the_database
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from tests.actors.sign_ins import now
from tests.models.races import race_processes
from tests.provider.answers import Answer, redirect_answer
from tests.provider.server import Request, running_server
from tests.scripted_provider import ScriptedProvider
from tests.waiting import wait_until

_PATH = "/hooks/catfeeder"
PAGE: Final = (ROOT / "docs" / "webhooks.md").read_text()


class Receiver(ScriptedProvider):
    """A receiver of events, which can be scripted as a provider can."""

    def __init__(self) -> None:
        super().__init__()
        self.paths = {_PATH: lambda _: Answer(204)}

    def ids(self) -> list[int]:
        """Return the ids of the events that came, repeats included."""
        return [json.loads(request.body)["id"] for request in self.requests]


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Run a receiver over real HTTP for the block."""
    started = Receiver()
    with running_server(started.perform) as server:
        started.host = f"127.0.0.1:{server.server_address[1]}"
        yield started
        started.ended.set()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver over real HTTP."""
    with running_receiver() as started:
        yield started


@pytest.fixture
def toml_conf(toml_conf: dict[str, Any], receiver: Receiver) -> dict[str, Any]:
    """The receiver as the webhook, with long timeouts."""
    timeouts = {"read_timeout_seconds": 60, "lease_seconds": 300}
    return {**toml_conf, "OAuth": {"webhook_url": receiver.issuer + _PATH, **timeouts}}


pytestmark = pytest.mark.usefixtures("tables")


def write(count: int = 1, *, at: datetime | None = None) -> list[int]:
    """Write events and return their ids, the oldest first."""
    with hold_connection():
        for number in range(count):
            record(EventKind.RECOVERED, now=at or now(), provider=f"p{number}")
    return [event["id"] for event in list_events(limit=count)["items"]][::-1]


def stored(event_id: int) -> TAB_EVENTS:
    with hold_connection():
        event: TAB_EVENTS = TAB_EVENTS.get_by_id(event_id)
    return event


def set_read_timeout(toml_conf: dict[str, Any], seconds: int) -> None:
    """Let an answer take no longer than that from now on."""
    toml_conf["OAuth"]["read_timeout_seconds"] = seconds
    config.current_settings.cache_clear()


def deliver_timed(event_id: int) -> tuple[timedelta, timedelta]:
    """Deliver what is due; return how long an event waits after that, at least and at most."""
    before = now()
    deliver_events()
    again_at = stored(event_id).deliver_at
    return again_at - now(), again_at - before


def let_fall_due(event_id: int) -> None:
    """Make the next delivery of an event due now."""
    with hold_connection():
        TAB_EVENTS.update(deliver_at=now()).where(TAB_EVENTS.id == event_id).execute()


def test_a_process_that_stops_delivers_no_further_event(receiver: Receiver) -> None:
    # Given several events that are due, and a process that is to stop with the first in hand
    first, *others = write(3)

    def answer(_: Request) -> Answer:
        request_stop()
        return Answer(204)

    receiver.paths = {_PATH: answer}
    # When they are delivered
    deliver_events()
    # Then the first was, and the others wait for another process
    assert receiver.ids() == [first]
    receiver.paths = {_PATH: lambda _: Answer(204)}
    clear_stop_request()
    deliver_events()
    assert receiver.ids() == [first, *others]


@pytest.fixture
def recipe() -> dict[str, Any]:
    """The names that the code of docs/webhooks.md defines."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/webhooks.md", "exec"), names)  # noqa: S102
    return names


@pytest.fixture
def read_event(recipe: dict[str, Any]) -> Callable[[Request], dict[str, Any]]:
    """Reads a request as a receiver does that follows docs/webhooks.md, with the current key."""

    def read(request: Request) -> dict[str, Any]:
        event: dict[str, Any] = recipe["read_event"](
            request.headers, request.body, export_webhook_key()
        )
        assert request.headers["webhook-id"] == str(event["id"])
        assert request.headers["content-type"] == "application/json"
        return event

    return read


def test_an_event_is_posted_signed_and_whole(
    receiver: Receiver, read_event: Callable[[Request], dict[str, Any]]
) -> None:
    # Given an event
    [event_id] = write()
    # When it is delivered
    deliver_events()
    # Then the receiver gets what the trail has, under a signature that only we can make
    [request] = receiver.requests
    assert (request.method, request.path) == ("POST", _PATH)
    event = read_event(request)
    assert event == list_events()["items"][0]
    # And docs/webhooks.md shows one with the very same names
    assert list(json.loads(re.findall(r"^(\{.*\})$", PAGE, re.MULTILINE)[0])) == list(event)
    # And it is not posted again
    deliver_events()
    assert receiver.ids() == [event_id]
    assert stored(event_id).deliver_at is None


def test_a_receiver_refuses_what_is_not_ours_or_too_old(recipe: dict[str, Any]) -> None:
    body, key = b'{"id": 1}', export_webhook_key()
    headers = sign_delivery("1", body, now())
    foreign = f"whsec_{base64.b64encode(b'f' * 32).decode()}"
    late, early = time.time() + 301, time.time() - 302
    assert recipe["read_event"](headers, body, key) == {"id": 1}

    for arguments in (
        (headers, body + b" ", key),
        (headers, body, foreign),
        ({**headers, "webhook-id": "2"}, body, key),
        ({**headers, "webhook-timestamp": str(int(time.time()) + 9)}, body, key),
        ({**headers, "webhook-timestamp": "soon"}, body, key),
        ({**headers, "webhook-timestamp": "9" * 5000}, body, key),
        ({**headers, "webhook-signature": "v1,AAAA"}, body, key),
        ({**headers, "webhook-signature": "v1,é"}, body, key),
        ({}, body, key),
        (headers, body, key, late),
        (headers, body, key, early),
    ):
        with pytest.raises(recipe["NotOurs"]):
            recipe["read_event"](*arguments)


class TestChangedKey:
    """A service whose SECRET_KEY is being changed."""

    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        """A new key, and the old one behind it."""
        old = environment["SECRET_KEY"]
        new = "another-secret-key-that-guards-nothing"
        return {**environment, "SECRET_KEY": new, "SECRET_KEY_PREVIOUS": old}

    def test_receivers_verify_with_either_key(
        self,
        receiver: Receiver,
        environment: dict[str, str],
        read_event: Callable[[Request], dict[str, Any]],
    ) -> None:
        write()
        deliver_events()
        [request] = receiver.requests
        assert read_event(request)
        # And so does a receiver that has the old key still
        environment["SECRET_KEY"] = environment.pop("SECRET_KEY_PREVIOUS")
        config.current_settings.cache_clear()
        assert read_event(request)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500),
        Answer(503),
        Answer(429),
        Answer(404),
        Answer(410),
        redirect_answer("/elsewhere"),
        redirect_answer("/elsewhere", 303),
        Answer(pieces=iter([b"220 mail.example ESMTP\r\n"])),
    ],
)
def test_a_delivery_that_fails_is_tried_again_later(
    receiver: Receiver, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a receiver that fails once
    receiver.answer(_PATH, answer, Answer(200))
    [event_id] = write()
    # When an event is delivered
    least, most = deliver_timed(event_id)
    # Then the log blames the receiver, and it waits for ten to twenty seconds
    assert "The receiver" in caplog.text
    assert "The provider" not in caplog.text
    assert least <= timedelta(seconds=20)
    assert most >= timedelta(seconds=10)
    assert receiver.ids() == [event_id]
    # And when it is due it comes with the id that it had
    let_fall_due(event_id)
    deliver_events()
    assert receiver.ids() == [event_id] * 2
    assert stored(event_id).deliver_at is None
    assert [request.headers["webhook-id"] for request in receiver.requests] == [str(event_id)] * 2


def test_the_waits_grow_to_an_hour(receiver: Receiver) -> None:
    receiver.answer(_PATH, Answer(500))
    [event_id] = write()
    # Each is from a half to the whole of one that doubles, up to an hour
    for number in range(1, 13):
        let_fall_due(event_id)
        least, most = deliver_timed(event_id)
        whole = timedelta(seconds=min(10 * 2**number, 3600))
        assert least <= whole, number
        assert most >= whole / 2, number


@pytest.mark.parametrize(
    ("asked", "waited"), [("600", timedelta(minutes=10)), ("99999999", timedelta(hours=1))]
)
def test_a_receiver_may_ask_for_a_longer_wait_up_to_an_hour(
    asked: str, waited: timedelta, receiver: Receiver
) -> None:
    receiver.answer(_PATH, Answer(429, headers={"Retry-After": asked}))
    [event_id] = write()
    least, most = deliver_timed(event_id)
    assert least <= waited <= most


def test_a_receiver_that_is_not_there_is_tried_once_a_run(
    receiver: Receiver, toml_conf: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    # Given a receiver that does not answer
    set_read_timeout(toml_conf, 1)
    gate = receiver.hold(_PATH)
    first, second, _ = write(3)
    # When events are delivered
    deliver_events()
    # Then the log names the receiver, and no provider
    assert "webhook_url" in caplog.text
    assert "The receiver did not answer" in caplog.text
    assert "provider" not in caplog.text
    # And the others are not tried in vain, and stay due
    assert receiver.ids() == [first]
    assert stored(first).deliver_at > now()
    # And once it answers, those go first
    gate.open()
    set_read_timeout(toml_conf, 60)
    deliver_events()
    assert receiver.ids()[1] == second
    assert len(receiver.ids()) == 3


def test_a_refused_event_delays_no_other(receiver: Receiver) -> None:
    receiver.answer(_PATH, Answer(400), Answer(200))
    ids = write(3)
    deliver_events()
    assert receiver.ids() == ids


def test_a_receiver_that_hangs_occupies_one_thread(receiver: Receiver) -> None:
    # Given a run that waits for the receiver
    gate = receiver.hold(_PATH)
    write(2)
    run = threading.Thread(target=deliver_events)
    run.start()
    gate.await_arrival()
    # When the next is asked for, then it leaves the work to the first
    deliver_events()
    assert len(receiver.requests) == 1
    gate.open()
    run.join()
    assert len(receiver.requests) == 2
    # And when that has ended there is another
    write()
    deliver_events()
    assert len(receiver.requests) == 3


def test_a_delivery_that_was_cut_off_is_made_after_a_restart(receiver: Receiver) -> None:
    # Given a process that died after it took an event, and before the receiver had it
    [event_id] = write()
    with hold_connection():
        assert TAB_EVENTS.claim_delivery("default", now(), now() + timedelta(minutes=2))
    deliver_events()
    assert receiver.requests == []
    # When its time is over
    let_fall_due(event_id)
    deliver_events()
    # Then another process delivers it, and counts what was tried
    assert receiver.ids() == [event_id]
    assert stored(event_id).attempts == 2


def test_a_delivery_has_longer_than_it_can_take(receiver: Receiver) -> None:
    # While a delivery is under way no other process claims it
    gate = receiver.hold(_PATH)
    [event_id] = write()
    before = now()
    run = threading.Thread(target=deliver_events)
    run.start()
    gate.await_arrival()
    again_at = stored(event_id).deliver_at
    gate.open()
    run.join()
    # Two connects of 5 seconds, an answer of 60, and a minute
    assert before <= again_at - timedelta(seconds=130) <= now()


def deliver_in_process(environment: dict[str, str], toml_conf: dict[str, Any]) -> None:
    """Deliver as one worker process of several does, each with settings of its own."""
    config.ENV, config.TOML_CONF = environment, toml_conf
    config.current_settings.cache_clear()
    deliver_events()


def test_of_several_workers_one_delivers_each_event(
    receiver: Receiver, tables: Settings, environment: dict[str, str], toml_conf: dict[str, Any]
) -> None:
    # Given events, and a receiver that lets the first one of each process wait for the other's
    ids = write(30)
    gate = receiver.hold(_PATH, times=2)
    with ThreadPoolExecutor(1) as pool:
        # When two processes deliver them at once
        racing = pool.submit(race_processes, 2, tables, deliver_in_process, environment, toml_conf)
        for _ in range(2):
            gate.await_arrival()
        gate.open()
        racing.result()
    # Then each has come once, by way of both
    assert sorted(receiver.ids()) == ids
    assert len({request.peer_port for request in receiver.requests}) == 2


class TestForbiddenReceiver:
    """A webhook whose address the operator has not allowed."""

    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        """No private host may be called."""
        return {**environment, "OAUTH_ALLOWED_PRIVATE_HOSTS": ""}

    @pytest.fixture
    def toml_conf(self, toml_conf: dict[str, Any], receiver: Receiver) -> dict[str, Any]:
        """The receiver, under a name that could be anyone's."""
        port = receiver.issuer.rpartition(":")[2]
        url = f"https://hooks.example.com:{port}{_PATH}"
        return {**toml_conf, "OAuth": {**toml_conf["OAuth"], "webhook_url": url}}

    @pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "10.0.0.1"])
    def test_nothing_is_posted_into_our_own_network(
        self,
        receiver: Receiver,
        address: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        # Given a webhook whose name leads to this machine, or to one beside it, since the start
        real = socket.getaddrinfo

        def answer(host: str, port: int, **options: Any) -> list[Any]:
            if host != "hooks.example.com":
                return real(host, port, **options)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        monkeypatch.setattr(socket, "getaddrinfo", answer)
        [event_id] = write()
        # When events are delivered
        with caplog.at_level(logging.WARNING):
            deliver_events()
        # Then nothing is sent, and the log says why
        assert receiver.requests == []
        assert f"Event {event_id} was not delivered" in caplog.text
        assert stored(event_id).deliver_at > now()


# -- Of several apps


@pytest.fixture
def other() -> Iterator[Receiver]:
    """The receiver of another app."""
    with running_receiver() as started:
        yield started


@pytest.fixture
def shop(other: Receiver, environment: dict[str, str]) -> str:
    """An app with a receiver of its own."""
    environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] += f",{other.host}"
    config.current_settings.cache_clear()
    create_app("shop", "shop", {"webhook_url": other.issuer + _PATH}, now())
    return "shop"


def is_delivered(event_id: int) -> bool:
    return stored(event_id).deliver_at is None


def write_for(app: str) -> int:
    """Write an event of an app and return its id."""
    with act_for(app):
        return write()[0]


def test_each_app_gets_its_own_events_signed_with_its_own_key(
    receiver: Receiver, other: Receiver, shop: str, recipe: dict[str, Any]
) -> None:
    # Given an event of each app, and of one that has no webhook
    create_app("silent", "silent", {}, now())
    ours, theirs, silent = write_for("default"), write_for(shop), write_for("silent")
    # When they are delivered
    deliver_events()
    # Then each receiver has its own app's alone
    assert (receiver.ids(), other.ids()) == ([ours], [theirs])
    assert stored(silent).deliver_at is None
    # And can check it with its own app's key, and with no other
    keys = {app: export_webhook_key(app) for app in ("default", shop, "silent")}
    assert len(set(keys.values())) == 3
    assert keys["default"] == export_webhook_key()
    for app, request in (("default", receiver.requests[0]), (shop, other.requests[0])):
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert recipe["read_event"](headers, request.body, keys[app])["app"] == app
        for wrong in set(keys.values()) - {keys[app]}:
            with pytest.raises(recipe["NotOurs"]):
                recipe["read_event"](headers, request.body, wrong)


def test_a_receiver_that_hangs_delays_no_other_app(
    receiver: Receiver, other: Receiver, shop: str
) -> None:
    # Given an app whose receiver takes a request and says nothing
    gate = other.hold(_PATH)
    write_for(shop)
    run = threading.Thread(target=deliver_events)
    run.start()
    gate.await_arrival()
    # When the other app's events fall due, then they are delivered meanwhile
    for _ in range(2):
        event_id = write_for("default")
        deliver_events()
        wait_until(partial(is_delivered, event_id))
    assert len(receiver.requests) == 2
    assert len(other.requests) == 1
    gate.open()
    run.join()


def test_what_an_app_may_not_set_is_not_called_either(
    other: Receiver, shop: str, caplog: pytest.LogCaptureFixture
) -> None:
    # Given addresses of our own network, which are refused as a setting
    for url in ("https://127.0.0.1/", "https://10.0.0.1/", "https://a:b@app.example.com/"):
        with pytest.raises(AppInvalid, match="webhook_url"):
            change_app(shop, {"webhook_url": url}, now())
    # When a row has one all the same, of a release that let it in
    with hold_connection():
        settings = {"webhook_url": "https://169.254.169.254/latest/"}
        row = TAB_APPS.find(shop)
        assert row is not None
        row.change(shop, settings, now())
    forget_app_settings()
    event_id = write_for(shop)
    deliver_events()
    # Then it is not called
    assert f"Event {event_id} was not delivered to webhook_url of shop" in caplog.text
    assert other.requests == []
    # And without an address, or without the app, nothing waits any more
    change_app(shop, {"webhook_url": None}, now())
    assert stored(event_id).deliver_at is None


def test_no_secret_is_posted(receiver: Receiver) -> None:
    write()
    deliver_events()
    [request] = receiver.requests
    secret = base64.b64decode(export_webhook_key().removeprefix("whsec_"))
    sent = f"{request.headers}{request.body!r}"
    assert config.current_settings().required_secret_key() not in sent
    assert secret not in request.body
    assert base64.b64encode(secret).decode() not in sent


def test_no_event_that_another_writer_makes_or_changes_is_signed_and_delivered(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    # Given three events, of which another writer of the database changes one, copies one without
    # its MAC, and makes one due again that was delivered
    first, changed = write(2)
    deliver_due = "UPDATE events SET deliver_at = ? WHERE id = ?"
    with hold_connection():
        the_database.execute_sql("UPDATE events SET subject = 'me' WHERE id = ?", (changed,))
        columns = "app, kind, created_at, deliver_at, attempts"
        the_database.execute_sql(
            f"INSERT INTO events ({columns}) SELECT {columns} FROM events WHERE id = ?",  # noqa: S608
            (first,),
        )
    # When events are delivered
    deliver_events()
    with hold_connection():
        the_database.execute_sql(deliver_due, (0, first))
    deliver_events()
    # Then ours is, once, and the log names the others
    assert receiver.ids() == [first]
    refused = [line for line in caplog.messages if "of the table events is not as" in line]
    assert len(refused) == 3


def test_each_delivery_is_kept_with_its_answer_and_can_be_sent_anew(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    # Given an event that is taken at once, and one that the receiver refuses until it is given up
    [taken] = write()
    deliver_events()
    [refused] = write()
    receiver.paths = {_PATH: lambda _: Answer(500)}
    for _ in range(2):
        let_fall_due(refused)
        deliver_events()
    [waiting, delivered] = list_deliveries()["items"]
    assert (waiting["event_id"], waiting["status"], waiting["attempts"]) == (refused, "waiting", 2)
    assert waiting["answer_status"] == 500
    assert waiting["answer"] == "The receiver answered with status 500."
    assert str(waiting["next_attempt_at"]) > waiting["answered_at"]
    assert (delivered["event_id"], delivered["status"]) == (taken, "delivered")
    assert (delivered["answer_status"], delivered["answer"]) == (204, None)
    with hold_connection():
        TAB_EVENTS.update(attempts=39).where(TAB_EVENTS.id == refused).execute()
    let_fall_due(refused)
    deliver_events()
    assert f"Event {refused} is given up after 40 attempts." in caplog.text
    assert list_events()["items"][0]["id"] == refused
    [given_up] = list_deliveries(status="given_up")["items"]
    assert (given_up["event_id"], given_up["next_attempt_at"]) == (refused, None)
    # When the receiver is mended, and what was given up is sent anew
    receiver.paths = {_PATH: lambda _: Answer(200)}
    assert resend_deliveries(None, now()) == {"resent": [refused], "left": []}
    deliver_events()
    # Then it comes under its own id, signed as any
    assert receiver.ids()[-1] == refused
    last = list_deliveries()["items"][0]
    assert (last["status"], last["answer_status"], last["attempts"]) == ("delivered", 200, 4)


def test_what_is_sent_anew_is_ours_and_on_record(receiver: Receiver) -> None:
    # Given an event that was delivered
    [taken] = write()
    deliver_events()
    # When it is sent anew, with an id that no event has
    unknown = 10**9
    resent = resend_deliveries([taken, unknown, taken], now())
    # Then it comes again, and the trail says so
    assert resent == {"resent": [taken], "left": [unknown]}
    deliver_events()
    assert receiver.ids() == [taken, taken]
    [event] = list_events(kind="webhook_resent")["items"]
    assert event["detail"] == {"events": [taken]}
    # And one that another writer has changed since does not
    with hold_connection():
        the_database.execute_sql("UPDATE events SET subject = 'forged'")
    assert resend_deliveries([taken], now()) == {"resent": [], "left": [taken]}


def test_deliveries_are_listed_by_page_and_app(receiver: Receiver) -> None:
    # Given the deliveries of two apps, of which one has no receiver any more
    url = receiver.issuer + _PATH
    create_app("shop", "Shop", {"webhook_url": url}, now())
    ids = write(3)
    with act_for("shop"), hold_connection():
        record(EventKind.RECOVERED, now=now())
    deliver_events()
    # Then an app sees its own, and a page goes on behind another
    with act_for("shop"):
        [own] = list_deliveries()["items"]
        assert resend_deliveries(ids, now())["resent"] == []
    first = list_deliveries(limit=2)
    assert [it["event_id"] for it in first["items"]] == [ids[2], ids[1]]
    second = list_deliveries(limit=2, cursor=first["next_cursor"])
    assert ([it["event_id"] for it in second["items"]], second["next_cursor"]) == ([ids[0]], None)
    # And what has no receiver is not sent
    change_app("shop", {"webhook_url": None}, now())
    with act_for("shop"):
        assert resend_deliveries([own["event_id"]], now())["left"] == [own["event_id"]]
