"""API keys: shown once, kept as a hash, known until they expire or are revoked."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from actors.api_keys import (
    ApiKeyInvalid,
    ApiKeyUnknown,
    MadeApiKey,
    find_holder,
    has_form_of_key,
    list_api_keys,
    make_api_key,
    revoke_api_key,
)
from catfeeder.queue.requester import requester
from models.api_keys import TAB_API_KEYS
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("database")


def make(**changes: Any) -> MadeApiKey:
    """Make a key for jobs that never expires, but for the changes."""
    usual = {"name": "web shop", "scopes": ["jobs"], "requests_per_minute": 60, "expires_at": None}
    return make_api_key(**{"now": NOW, **usual, **changes})


def stored(key_id: str) -> TAB_API_KEYS:
    with hold_connection():
        row: TAB_API_KEYS = TAB_API_KEYS.get_by_id(key_id)
    return row


def events() -> list[TAB_EVENTS]:
    with hold_connection():
        return list(TAB_EVENTS.select().order_by(TAB_EVENTS.id))


def test_a_key_is_shown_once_and_only_its_hash_is_kept() -> None:
    # When a key is made
    made = make(scopes=["tokens:read", "jobs", "jobs"])

    # Then it is shown with its description, in a form that secret scanners know
    key = made["key"]
    assert re.fullmatch(f"cfk_{made['id']}_[A-Za-z0-9_-]{{43}}", key)
    assert has_form_of_key(key)
    assert made == {
        "id": made["id"],
        "app": "default",
        "name": "web shop",
        "scopes": ["jobs", "tokens:read"],
        "requests_per_minute": 60,
        "created_at": "2026-11-23T12:00:00.000Z",
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": None,
        "key": key,
    }
    # And what is stored, listed and in the trail does not hold the key
    row = stored(made["id"])
    assert row.key_hash == hashlib.sha256(key.encode()).hexdigest()
    secret = key.split("_", 2)[2]
    kept = f"{row.__data__}{list_api_keys()}{[event.__data__ for event in events()]}"
    assert secret not in kept
    assert "key" not in list_api_keys()[0]


def test_no_two_keys_are_alike() -> None:
    keys = {make()["key"] for _ in range(20)}

    assert len({key.split("_")[1] for key in keys}) == 20
    assert len({key.split("_", 2)[2] for key in keys}) == 20


def test_a_key_serves_until_it_expires() -> None:
    key = make(expires_at=NOW + MINUTE)["key"]

    assert find_holder(key, NOW + MINUTE - SECOND)
    assert find_holder(key, NOW + MINUTE) is None


def test_what_is_no_id_of_a_key_revokes_nothing() -> None:
    for key_id in ("0" * 12, "", "\0", "é", "a" * 400, "0" * 12 + "\n"):
        with pytest.raises(ApiKeyUnknown):
            revoke_api_key(key_id, NOW)

    assert events() == []


def test_a_key_that_differs_anywhere_is_another() -> None:
    made = make()
    key, other = made["key"], make()["key"]
    _, key_id, secret = key.split("_", 2)
    last = "B" if secret[-1] == "A" else "A"

    for wrong in (
        f"cfk_{key_id}_{secret[:-1]}{last}",
        f"cfk_{key_id}_{secret[:-1]}",
        f"cfk_{key_id}_{secret}A",
        f"cfk_{key_id}_{secret.swapcase()}",
        f"cfk_{other.split('_')[1]}_{secret}",
        f"cfk_{'0' * 12}_{secret}",
        f"cfx_{key_id}_{secret}",
        f"cfk_{key_id}_{stored(made['id']).key_hash}",
        f"cfk_{key_id}_{'é' * 43}",
        f"cfk_\0_{secret}",
        f" {key}",
        f"{key}\n",
        secret,
        "cfk__",
        "",
    ):
        assert find_holder(wrong, NOW) is None, wrong
    assert find_holder(key, NOW)


def test_a_text_of_another_form_asks_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a database that must not be asked
    monkeypatch.setattr(TAB_API_KEYS, "find_valid", lambda *_: pytest.fail("it was asked"))

    # Then guesses that are of another form cost nothing
    assert find_holder("a guess", NOW) is None
    assert find_holder("cfk_guess_guess", NOW) is None


def test_an_invalid_key_is_not_made() -> None:
    too_late = datetime.max.replace(tzinfo=NOW.tzinfo), NOW + timedelta(days=3651)
    wrong: dict[str, tuple[object, ...]] = {
        "name": ("", "a" * 256, "line\nbreak", "\x1b[2Jgone", "\x9b2Jgone", "half \ud800"),
        "scopes": ([], ["jobs", "everything"]),
        "requests_per_minute": (0, 10**10),
        "expires_at": (NOW, NOW - SECOND, *too_late),
    }
    for field, values in wrong.items():
        for value in values:
            with pytest.raises(ApiKeyInvalid) as raised:
                make(**{field: value})
            assert list(raised.value.fields) == [field]
            assert field in raised.value.detail
    assert list_api_keys() == []


def test_making_and_revoking_a_key_are_events() -> None:
    # Given an administrator who acts with a key
    token = requester.set("admin")
    try:
        # When they make a key and revoke it
        made = make(scopes=["jobs"])
        revoke_api_key(made["id"], NOW + SECOND)
    finally:
        requester.reset(token)

    # Then both are events, of the key that acted and about the key that it is
    written = [(event.kind, event.key_id, event.detail) for event in events()]
    assert written == [
        ("api_key_created", "admin", {"key": made["id"], "scopes": ["jobs"]}),
        ("api_key_revoked", "admin", {"key": made["id"]}),
    ]
