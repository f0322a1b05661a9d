"""Tests of the stored API keys: they serve until they expire or are revoked."""

from __future__ import annotations

from datetime import datetime

import pytest

from models.api_keys import TAB_API_KEYS
from models.db.database import hold_connection
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("database")


def add(key_id: str = "key-1", *, expires_at: datetime | None = None, now: datetime = NOW) -> None:
    with hold_connection():
        TAB_API_KEYS.add(
            key_id=key_id,
            name="the web shop",
            key_hash="0" * 64,
            scopes=["passwords", "tokens:read"],
            requests_per_minute=60,
            expires_at=expires_at,
            now=now,
        )


def is_valid(key_id: str = "key-1", now: datetime = NOW) -> bool:
    with hold_connection():
        return TAB_API_KEYS.find_valid(key_id, now) is not None


def test_a_key_is_kept_as_it_was_added() -> None:
    add()

    with hold_connection():
        (key,) = TAB_API_KEYS.list_all()
    assert (key.id, key.name, key.key_hash) == ("key-1", "the web shop", "0" * 64)
    assert (key.scopes, key.requests_per_minute) == (["passwords", "tokens:read"], 60)
    assert (key.created_at, key.expires_at, key.revoked_at) == (NOW, None, None)
    assert is_valid()


def test_a_key_serves_until_it_expires() -> None:
    add(expires_at=NOW + MINUTE)

    assert is_valid(now=NOW + MINUTE - SECOND)
    assert not is_valid(now=NOW + MINUTE)


def test_a_revoked_key_serves_no_more_and_stays_listed() -> None:
    add()
    add("key-2")

    with hold_connection():
        assert TAB_API_KEYS.revoke("key-1", NOW)
        assert not TAB_API_KEYS.revoke("key-1", NOW)
        assert not TAB_API_KEYS.revoke("key-of-nobody", NOW)
        assert len(TAB_API_KEYS.list_all()) == 2
    assert not is_valid()
    assert is_valid("key-2")


def test_an_unknown_key_does_not_serve() -> None:
    assert not is_valid("key-of-nobody")


def test_keys_are_listed_oldest_first() -> None:
    add("b", now=NOW)
    add("a", now=NOW + SECOND)
    add("c", now=NOW - SECOND)

    with hold_connection():
        assert [key.id for key in TAB_API_KEYS.list_all()] == ["c", "b", "a"]
