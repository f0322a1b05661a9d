"""Tests of the stored API keys: they are valid until they expire or are revoked."""

from __future__ import annotations

from datetime import datetime

import pytest

from models.api_keys import TAB_API_KEYS
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("held")


def add(key_id: str = "key-1", *, expires_at: datetime | None = None, now: datetime = NOW) -> None:
    TAB_API_KEYS.add(
        key_id=key_id,
        app="default",
        name="the web shop",
        key_hash="0" * 64,
        scopes=["passwords", "tokens:read"],
        requests_per_minute=60,
        expires_at=expires_at,
        now=now,
    )


def is_valid(key_id: str = "key-1", now: datetime = NOW) -> bool:
    return TAB_API_KEYS.find_valid(key_id, now) is not None


def test_a_key_is_stored_as_it_was_added() -> None:
    add()

    (key,) = TAB_API_KEYS.list_all()
    assert (key.id, key.name, key.key_hash) == ("key-1", "the web shop", "0" * 64)
    assert (key.scopes, key.requests_per_minute) == (["passwords", "tokens:read"], 60)
    assert (key.created_at, key.expires_at, key.revoked_at) == (NOW, None, None)
    assert is_valid()


def test_a_key_is_valid_until_it_expires() -> None:
    add(expires_at=NOW + MINUTE)

    assert is_valid(now=NOW + MINUTE - SECOND)
    assert not is_valid(now=NOW + MINUTE)


def test_a_revoked_key_is_not_valid_and_stays_listed() -> None:
    add()
    add("key-2")

    assert TAB_API_KEYS.revoke("key-1", NOW)
    assert not TAB_API_KEYS.revoke("key-1", NOW)
    assert not TAB_API_KEYS.revoke("key-unknown", NOW)
    assert len(TAB_API_KEYS.list_all()) == 2
    assert not is_valid()
    assert is_valid("key-2")


def test_an_unknown_key_is_not_valid() -> None:
    assert not is_valid("key-unknown")


def test_keys_are_listed_oldest_first() -> None:
    add("b", now=NOW)
    add("a", now=NOW + SECOND)
    add("c", now=NOW - SECOND)

    assert [key.id for key in TAB_API_KEYS.list_all()] == ["c", "b", "a"]
