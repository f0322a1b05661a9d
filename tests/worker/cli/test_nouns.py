"""Nouns and verbs: what the command line shows and does is what the API does."""

from __future__ import annotations

import io
import json
import socket
import sys
from contextlib import closing
from datetime import timedelta, timezone
from typing import Any

import dramatiq
import pytest

from actors.api_keys import find_holder
from actors.events.audit import list_events, record
from actors.events.kinds import EventKind
from actors.events.webhooks import deliver_events
from catfeeder.client import Client
from catfeeder.clock import utc_now
from config import current_settings
from models.db.database import hold_connection
from tests.actors.renewals import connect
from tests.ports import free_port
from tests.scripted_provider import ScriptedProvider
from tests.worker.cli.conftest import Command
from worker.cli.work.events import print_events


def read_json(command: Command, *typed: str) -> Any:
    ended = command(*typed, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_a_connection_is_found_renewed_and_disconnected(
    plain: ScriptedProvider,
    worker: dramatiq.Worker,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert worker
    # Given two users' connections
    first, second = (row.id for row in connect(plain, 2, subject="user-1", unbound=True))
    # When the operator renews one of them, and one that there is not
    renewed = command("connections", "renew", first, "0" * 36)
    assert renewed.stdout.splitlines()[1:] == [f"{first}\tactive"]
    assert renewed.stderr.startswith(f"{'0' * 36}: There is no connection of that id")
    assert renewed.returncode == 1
    kinds = [event["kind"] for event in list_events(connection_id=first)["items"]]
    assert kinds[0] == "renewed"
    # Also those of a list that is piped
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{first}\n{second}\n"))
    assert len(read_json(command, "connections", "renew", "-")["items"]) == 2
    listed = read_json(command, "jobs", "list", "--actor", "renew_connection")["items"]
    assert {one["status"] for one in listed} == {"succeeded"}
    # And a disconnect asks first, and then nothing is left
    asked = command("connections", "disconnect", first)
    assert (asked.returncode, "--yes" in asked.stderr) == (1, True)
    assert command("connections", "disconnect", first, "--yes").returncode == 0
    assert command("connections", "show", first).returncode == 1


def test_connections_are_listed_searched_and_shown(
    plain: ScriptedProvider, command: Command
) -> None:
    # Given two users' connections
    first, second = (row.id for row in connect(plain, 2, subject="user-1", unbound=True))
    # When the operator lists and shows them
    head, *lines = command("connections", "list", "--subject", "user-1").stdout.splitlines()
    assert head.split("\t")[:3] == ["ID", "APP", "PROVIDER"]
    assert [line.split("\t")[0] for line in lines] == [first, second]
    page = read_json(command, "connections", "list", "--limit", "1", "--app", "default")
    assert [one["id"] for one in page["items"]] == [first]
    cursor = page["next_cursor"]
    rest = read_json(command, "connections", "list", "--cursor", cursor, "--status", "active")
    assert [one["id"] for one in rest["items"]] == [second]
    found = read_json(command, "connections", "list", "--search", "user-1")["items"]
    assert [one["id"] for one in found] == [second, first]
    assert command("connections", "list", "--search", "x", "--subject", "y").returncode == 2
    shown = command("connections", "show", first).stdout
    assert "renewal.why\tThe token expires at" in shown
    assert "status\tactive" in shown
    assert "\texchanged\t" in shown
    assert read_json(command, "connections", "show", first) == page["items"][0]


def test_a_link_leads_a_user_to_the_page_for_a_connection(
    plain: ScriptedProvider, command: Command
) -> None:
    [row] = connect(plain, subject="user-1", unbound=True)
    link = read_json(command, "connections", "reconnect-link", row.id)
    assert "/connect?link=" in link["url"]
    printed = command("connections", "reconnect-link", row.id)
    assert printed.stdout.startswith("http")
    assert "in the browser that opens it first" in printed.stderr
    assert command("connections", "reconnect-link", "none").returncode == 1


@pytest.mark.usefixtures("tables")
def test_a_provider_is_set_up_paused_and_resumed(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a provider that is set up with a secret from stdin
    monkeypatch.setattr(sys, "stdin", io.StringIO("hunter2\n"))
    settings = ("preset=google", "client_id=my-app", "client_secret=-", 'scopes=["openid"]')
    made = command("providers", "set", "house", *settings)
    assert made.returncode == 0, made.stderr
    assert read_json(command, "providers", "show", "house")["scopes"] == ["openid"]
    # When a setting is changed, and renewals are paused and resumed
    assert read_json(command, "providers", "set", "house", "scopes=null")["scopes"] != ["openid"]
    reason = ("--reason", "Mind the cat.")
    assert command("providers", "pause", "house", *reason).returncode == 0
    listed = command("providers", "list").stdout
    assert "house\t-\tgoogle\tmy-app\topen\t-\tMind the cat." in listed
    assert command("providers", "resume", "house").returncode == 0
    [item] = read_json(command, "providers", "list")["items"]
    assert (item["renewals"]["state"], item["has_client_secret"]) == ("closed", True)
    assert "hunter2" not in json.dumps(item)
    # And an app's own of that name is another
    assert command("apps", "add", "shop").returncode == 0
    own = read_json(command, "providers", "set", "house", "preset=google", "--app", "shop")
    assert own["app"] == "shop"
    paused = read_json(command, "providers", "pause", "house", "--app", "shop")
    assert (paused["app"], paused["renewals"]["state"]) == ("shop", "open")
    assert read_json(command, "providers", "show", "house")["renewals"]["state"] == "closed"
    # Then a mistake is a sentence
    for wrong in (("set", "house", "nonsense"), ("set", "house", "scopes=1"), ("pause", "none")):
        ended = command("providers", *wrong)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert len(ended.stderr.splitlines()) == 1


def test_queues_are_paused_and_jobs_listed_and_cancelled(
    client: Client, worker: dramatiq.Worker, command: Command
) -> None:
    assert worker
    done = client.hash_password("hunter2", rounds=4)
    done.result(timeout=60)
    # Given a queue that the operator has paused
    assert command("queues", "pause", "passwords").returncode == 0
    assert "\tpaused\t" in command("queues", "list").stdout
    [state] = [one for one in read_json(command, "queues", "list")["items"] if one["paused"]]
    assert state["queue"] == "passwords"
    waiting = client.hash_password("hunter2", rounds=4)
    # Then a job can be looked at and cancelled, and those that were begun are listed
    assert read_json(command, "jobs", "show", waiting.id)["status"] == "queued"
    assert command("jobs", "cancel", waiting.id).stdout == f"Job {waiting.id} is cancelled.\n"
    assert command("jobs", "cancel", waiting.id).returncode == 1
    listed = read_json(command, "jobs", "list", "--status", "succeeded", "--app", "default")
    assert [(one["id"], one["app"]) for one in listed["items"]] == [(done.id, "default")]
    assert command("jobs", "list", "--actor", "check_password").stdout == ""
    # And the queue goes on
    assert command("queues", "resume", "passwords").returncode == 0
    client.hash_password("hunter2", rounds=4).result(timeout=60)
    assert "cannot be paused" in command("queues", "pause", "control").stderr


@pytest.mark.usefixtures("tables")
def test_keys_are_listed_and_revoked(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    made = read_json(command, "keys", "make", "web shop", "--scope", "jobs")
    assert "web shop" in command("keys", "list", "--app", "default").stdout
    assert made["key"] not in command("keys", "list").stdout
    # On a terminal the operator is asked, and may think better of it
    answers = io.StringIO("n\ny\n")
    monkeypatch.setattr(answers, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", answers)
    assert command("keys", "revoke", made["id"]).returncode == 1
    assert find_holder(made["key"], utc_now()) is not None
    assert command("keys", "revoke", made["id"]).returncode == 0
    assert find_holder(made["key"], utc_now()) is None
    assert command("keys", "list", "--app", "none").returncode == 1


@pytest.mark.usefixtures("tables")
def test_events_are_followed_until_they_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    # Given an event, and others that come while the operator looks
    def write(reason: str) -> None:
        with hold_connection():
            record(EventKind.PROVIDER_CHANGED, now=utc_now(), reason=reason)

    later = iter(("second", "third"))

    def wait() -> None:
        if (reason := next(later, None)) is None:
            raise KeyboardInterrupt
        write(reason)

    write("first")
    with pytest.raises(KeyboardInterrupt):
        print_events(1, follows=True, as_json=True, wait=wait)
    # Then each is one line of JSON, in order and once
    lines = [json.loads(line)["detail"]["reason"] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["first", "second", "third"]
    # And the list of the same has the newest first
    print_events(2, follows=False, as_json=False)
    head, newest, *_ = capsys.readouterr().out.splitlines()
    assert head.startswith("WHEN\tEVENT")
    assert "third" in newest


@pytest.mark.usefixtures("tables")
def test_events_are_listed_since_an_age_or_a_time_page_by_page(command: Command) -> None:
    # Given events of today, an hour and a half, and two days ago
    now = utc_now()
    for reason, hours in (("old", 48), ("earlier", 1.5), ("just now", 0)):
        with hold_connection():
            record(EventKind.PROVIDER_CHANGED, now=now - timedelta(hours=hours), reason=reason)
    local = (now - timedelta(hours=1)).astimezone(timezone(timedelta(hours=5)))
    for since, expected in (
        ("3d", ["just now", "earlier", "old"]),
        ("2h", ["just now", "earlier"]),
        ("5400s", ["just now"]),
        # With its own offset, and in UTC without one
        (local.isoformat(), ["just now"]),
        (f"{now - timedelta(hours=2):%Y-%m-%dT%H:%M}", ["just now", "earlier"]),
        (f"{now - timedelta(days=3):%Y-%m-%d}", ["just now", "earlier", "old"]),
    ):
        # When those of the time are listed, then no older ones are
        shown = read_json(command, "events", "--kind", "provider_changed", "--since", since)
        assert [event["detail"]["reason"] for event in shown["items"]] == expected
    # And where there are more than asked for, the next page is named
    first = command("events", "--since", "2h", "--limit", "1")
    assert "just now" in first.stdout
    cursor = first.stderr.split("--cursor ")[1].strip()
    assert "earlier" in command("events", "--since", "2h", "--cursor", cursor).stdout
    # And what is no time is refused with what is one
    for wrong in ("yesterday", "2 h", "-1d", "999999w", "0001-01-01T00:00:00+14:00", ""):
        ended = command("events", f"--since={wrong}")
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "--since is an age such as 30m" in " ".join(ended.stderr.split())


@pytest.mark.usefixtures("tables")
def test_the_settings_are_checked_and_what_is_wrong_is_named(
    command: Command, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PASSWORD_PEPPER", "Vn3kq8Zt0uYw5Rb1xLc7Gs9dHf2jKm4p")
    monkeypatch.setenv("PORT", str(free_port()))
    well = command("config", "check")
    assert well.returncode == 0, well.stdout
    assert [line[:4] for line in well.stdout.splitlines()] == ["ok  "] * 8
    assert "bcrypt (10 rounds), with the pepper" in well.stdout
    # When the broker cannot be reached
    environment["REDIS_URL"] = "redis://127.0.0.1:1/0"
    current_settings.cache_clear()
    unwell = json.loads(command("config", "check", "--json").stdout)
    # Then it is the one finding that is not well
    assert [one["check"] for one in unwell["findings"] if not one["is_ok"]] == ["broker"]
    # And so are a port that another program has, a folder that cannot be, and a provider
    made = command("providers", "set", "google", "preset=google", "client_id=app")
    assert made.returncode == 0, made.stderr
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("VAR_DIR", "/dev/null/var")
        current_settings.cache_clear()
        unwell = json.loads(command("config", "check", "--json").stdout)
    named = [one["check"] for one in unwell["findings"] if not one["is_ok"]]
    assert {"var_dir", "ports", "provider google"} <= set(named)
    # And settings that cannot be used end the check
    monkeypatch.setenv("LOG_FORMAT", "xml")
    assert command("config", "check").stdout.startswith("FAIL settings: LOG_FORMAT")


def test_addresses_to_which_codes_would_travel_in_the_clear_are_named(
    typed: Command, tables: object
) -> None:
    del tables
    # Given a redirect URI and origins of relays, of the service and of an app, without TLS
    asked = ("apps", "add", "shop", "--return-to-origin", "http://shop.example")
    assert typed(*asked).returncode == 0
    ended = typed(
        *("config", "check", "--json"),
        REDIRECT_URI="http://auth.example.com/v1/oauth/callback",
        CATFEEDER_OAUTH_RETURN_TO_ORIGINS="http://a.example,http://[::1]:3000,cats://back,http://[zz",
    )
    # Then each is named but those of the same machine
    findings = json.loads(ended.stdout)["findings"]
    said = {one["check"]: one["detail"] for one in findings if not one["is_ok"]}
    assert said["addresses"].startswith("REDIRECT_URI is http, so the network can read codes of")
    assert "[OAuth] return_to_origins lists http://a.example," in said["addresses"]
    assert said["addresses"].count("lists") == 1
    assert "Its return_to_origins lists http://shop.example," in said["app shop"]


@pytest.mark.parametrize(
    "typed", ["connections list --status odd", "jobs list --status odd", "events --kind odd"]
)
def test_a_filter_that_nothing_can_pass_is_refused(command: Command, typed: str) -> None:
    ended = command(*typed.split())
    assert (ended.returncode, ended.stdout) == (2, "")
    assert " is one of " in ended.stderr


@pytest.mark.usefixtures("tables")
def test_a_terminal_gets_tables(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.cli.terminal.output.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    shown = command("apps", "list").stdout
    assert "─" in shown
    assert "\t" not in shown
    assert "default" in shown
    assert "default" in command("apps", "show", "default").stdout


@pytest.mark.usefixtures("tables")
def test_deliveries_are_listed_shown_and_sent_anew(
    command: Command, provider: ScriptedProvider
) -> None:
    # Given an event that its receiver, which knows no such path, does not take
    url = f"{provider.issuer}/nosuch"
    assert command("apps", "change", "default", "--webhook-url", url).returncode == 0
    with hold_connection():
        record(EventKind.RECOVERED, now=utc_now(), provider="house")
    deliver_events()
    [delivery] = read_json(command, "webhooks", "list", "--status", "waiting")["items"]
    event_id = str(delivery["event_id"])
    # When it is shown, then its receiver's answer is there
    assert read_json(command, "webhooks", "show", event_id) == delivery
    assert "answer_status\t404" in command("webhooks", "show", event_id).stdout
    assert command("webhooks", "show", "999").returncode == 1
    # When it is sent anew, beside one that there is not
    sent = command("webhooks", "resend", event_id, "999")
    assert (sent.returncode, sent.stdout) == (1, "1 event sent anew.\n")
    assert "999" in sent.stderr
    assert list_events(limit=1)["items"][0]["detail"] == {"events": [int(event_id)]}
    assert read_json(command, "webhooks", "resend", "--all") == {"resent": [], "left": []}
    for wrong in (("resend",), ("resend", "1", "--all"), ("list", "--status", "x"), ("show", "x")):
        assert command("webhooks", *wrong).returncode == 2
