"""The table of actors: complete, true to what the client sends, and light to load."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from actors.registry import PERFORMERS, load_performer
from catfeeder.client import Client, Job
from catfeeder.errors import CatFeederError
from catfeeder.messages import (
    CATALOGUE,
    CHECK_POLICY,
    CHECK_PROVIDER,
    CLEAN_EVENTS,
    CLEAN_TOKENS,
    CLEAN_VERIFICATION,
    DELIVER_EVENTS,
    DISCOVER_PROVIDER,
    EXCHANGE_TOKEN,
    FORECAST_GRANTS,
    POLL_DEVICE,
    POLL_DEVICES,
    QUARANTINE,
    RENEW_CONNECTIONS,
    RENEW_OATHS,
    RESEAL,
    SHUT_DOWN,
    MessageType,
)
from catfeeder.queue.broker import build_message
from catfeeder.sealing import Secret
from config import ROOT
from worker.consuming.broker import ConsumingBroker

#: Every job that the client can ask for.
ASKED: dict[str, Callable[[Client], Job[Any]]] = {
    "hash_password": lambda client: client.hash_password("x", rounds=10),
    "check_password": lambda client: client.check_password("x", "y"),
    "check_policy": lambda client: client.enqueue(
        CHECK_POLICY, password=Secret("x"), scheme=None, user_inputs=["y"]
    ),
    "exchange_code": lambda client: client.exchange_code("google", "code", "state", "z", user="{}"),
    "fetch_user_info": lambda client: client.user_info("google", access_token="x"),
    "refresh_token": lambda client: client.refresh_token("google", "token"),
    "authorize_device": lambda client: client.authorize_device("house", variables={"a": "b"}),
    "exchange_token": lambda client: client.enqueue(
        EXCHANGE_TOKEN, connection_id="id", scope=None, resource=["https://a/"], audience=["b"]
    ),
    "create_connection": lambda client: client.create_connection("house", {"api_key": "x"}),
    "renew_connection": lambda client: client.renew("id"),
    "verify_connection": lambda client: client.verify_connection("id"),
    "revoke_connection": lambda client: client.revoke_connection("id"),
    "discover_provider": lambda client: client.enqueue(DISCOVER_PROVIDER, provider="google"),
    "check_provider": lambda client: client.enqueue(CHECK_PROVIDER, provider="google"),
    "shut_down": lambda client: client.enqueue(SHUT_DOWN, generation=1),
}
#: Every message that the service sends to itself, with its arguments.
SENT: dict[MessageType, dict[str, object]] = {
    RENEW_CONNECTIONS: {"leases": []},
    POLL_DEVICE: {"device_id": "x", "version": 1},
    POLL_DEVICES: {},
    RENEW_OATHS: {},
    FORECAST_GRANTS: {},
    CLEAN_VERIFICATION: {},
    CLEAN_TOKENS: {},
    DELIVER_EVENTS: {},
    CLEAN_EVENTS: {},
    RESEAL: {},
    QUARANTINE: {"queue": "oauth", "redis_message_id": "x", "reason": "y", "body": b"z"},
}


def test_every_message_has_a_performer() -> None:
    assert {message_type.name for message_type in PERFORMERS} == set(CATALOGUE)
    # And each is tried below.
    assert set(ASKED) == {name for name, kind in CATALOGUE.items() if kind.is_job}
    assert set(SENT) == {kind for kind in CATALOGUE.values() if not kind.is_job}


def test_a_performer_takes_what_the_client_sends(
    client: Client, service: Client, broker: ConsumingBroker
) -> None:
    for name, ask in ASKED.items():
        message_type = CATALOGUE[name]
        job = ask(client if message_type.is_for_apps else service)
        consumer = broker.consume(message_type.queue)
        message = next(consumer)
        assert message is not None
        consumer.ack(message)
        assert (message.message_id, message.actor_name) == (job.id, name)
        inspect.signature(load_performer(PERFORMERS[message_type])).bind(**message.kwargs)


def test_a_performer_takes_what_the_service_sends() -> None:
    for message_type, arguments in SENT.items():
        inspect.signature(load_performer(PERFORMERS[message_type])).bind(**arguments)


def test_an_actor_has_the_options_of_the_catalogue(broker: ConsumingBroker) -> None:
    for message_type in PERFORMERS:
        actor = broker.get_actor(message_type.name)
        age = message_type.max_age_seconds
        assert actor.queue_name == message_type.queue
        assert actor.options == {
            "max_age": age and age * 1000,
            "store_results": message_type.is_job,
            "throws": (CatFeederError,),
        }


def test_a_message_outside_the_catalogue_has_no_actor(broker: ConsumingBroker) -> None:
    sent = build_message(MessageType("nonsense", "control", None, is_job=False), {})
    assert sent.actor_name not in broker.get_declared_actors()


def test_a_process_loads_only_what_its_messages_need() -> None:
    # Given a fresh interpreter that has bound all actors, and a child of it for each kind of work
    unwanted = {
        "actors.passwords.hashing:hash_password": "requests requests_oauthlib fastapi joserfc",
        # bcrypt itself is there for other reasons: cryptography reads SSH keys with it.
        "actors.oauth.exchange:exchange_code": "actors.passwords.hashing fastapi zxcvbn",
        # Which looks for events again and again, in a service without a webhook too.
        "actors.events.webhooks:deliver_events": "requests urllib3",
        "actors.server:shut_down": "bcrypt requests_oauthlib fastapi starlette",
    }
    script = """
import os, sys
import worker.process.build
from actors.registry import load_performer
for address in sys.argv[1:]:
    if not os.fork():
        load_performer(address)
        print(address, *sys.modules, flush=True)
        os._exit(0)
    os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *unwanted],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.split()[0]: set(line.split()) for line in done.stdout.splitlines()}
    # Then what the others need is not there
    assert loaded.keys() == unwanted.keys()
    for address, names in unwanted.items():
        assert not loaded[address] & set(names.split()), address
