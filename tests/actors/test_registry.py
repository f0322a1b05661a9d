"""The table of performers: complete, true to what the client sends, and light to load."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from actors.registry import PERFORMERS, load_performer
from catfeeder.broker import build_message
from catfeeder.client import Client, Job
from catfeeder.errors import CatFeederError
from catfeeder.messages import (
    CATALOGUE,
    CHECK_PROVIDER,
    CLEAN_EVENTS,
    CLEAN_TOKENS,
    CLEAN_VERIFICATION,
    DELIVER_EVENTS,
    FORECAST_GRANTS,
    QUARANTINE,
    RENEW_CONNECTIONS,
    RENEW_OATHS,
    RESEAL,
    MessageType,
)
from config import ROOT
from worker.consuming.broker import ConsumingBroker

#: Every job that the client can ask for.
ASKED: dict[str, Callable[[Client], Job[Any]]] = {
    "hash_password": lambda client: client.hash_password("x", rounds=10),
    "check_password": lambda client: client.check_password("x", "y"),
    "exchange_code": lambda client: client.exchange_code("google", "code", "state", "z", user="{}"),
    "fetch_user_info": lambda client: client.user_info("google", access_token="x"),
    "refresh_token": lambda client: client.refresh_token("google", "token"),
    "renew_connection": lambda client: client.renew("id"),
    "revoke_connection": lambda client: client.revoke_connection("id"),
    "discover_provider": lambda client: client.discover_provider("google"),
    "check_provider": lambda client: client.enqueue(CHECK_PROVIDER, provider="google"),
    "shut_down": lambda client: client.shut_down(1),
}
#: Every message that the service sends to itself, with its arguments.
SENT: dict[MessageType, dict[str, object]] = {
    RENEW_CONNECTIONS: {"leases": []},
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


@pytest.mark.parametrize("name", ASKED)
def test_a_performer_takes_what_the_client_sends(
    client: Client, broker: ConsumingBroker, name: str
) -> None:
    job = ASKED[name](client)
    message_type = CATALOGUE[name]
    message = next(broker.consume(message_type.queue))
    assert message is not None
    assert (message.message_id, message.actor_name) == (job.id, name)
    inspect.signature(load_performer(PERFORMERS[message_type])).bind(**message.kwargs)


@pytest.mark.parametrize("message_type", SENT, ids=lambda message_type: message_type.name)
def test_a_performer_takes_what_the_service_sends(message_type: MessageType) -> None:
    function = load_performer(PERFORMERS[message_type])
    inspect.signature(function).bind(**SENT[message_type])


@pytest.mark.parametrize("message_type", PERFORMERS, ids=lambda message_type: message_type.name)
def test_an_actor_has_the_options_of_the_catalogue(
    broker: ConsumingBroker, message_type: MessageType
) -> None:
    actor = broker.get_actor(message_type.name)
    age = message_type.max_age_seconds
    assert actor.queue_name == message_type.queue
    assert actor.options == {
        "max_age": age and age * 1000,
        "store_results": message_type.is_job,
        "throws": (CatFeederError,),
    }


def test_a_message_that_nobody_knows_has_no_actor(broker: ConsumingBroker) -> None:
    sent = build_message(MessageType("nonsense", "control", None, is_job=False), {})
    assert sent.actor_name not in broker.get_declared_actors()


@pytest.mark.parametrize(
    ("address", "absent"),
    [
        (
            "actors.passwords.hashing:hash_password",
            {"requests", "requests_oauthlib", "fastapi", "joserfc"},
        ),
        # bcrypt itself is there for other reasons: cryptography reads SSH keys with it.
        ("actors.oauth.exchange:exchange_code", {"actors.passwords.hashing", "fastapi", "zxcvbn"}),
        ("actors.server:shut_down", {"bcrypt", "requests_oauthlib", "fastapi", "starlette"}),
    ],
)
def test_a_process_loads_only_what_its_messages_need(address: str, absent: set[str]) -> None:
    # Given a fresh interpreter that has bound all actors and performs one of them
    script = (
        "import sys; import worker.process.build; from actors.registry import load_performer; "
        f"load_performer({address!r}); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # Then what the others need is not there
    assert not absent & set(done.stdout.split())
