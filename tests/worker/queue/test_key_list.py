"""The list of queue keys that serve: no list that is put back revives a revoked key."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actors.apps.registration import create_app, delete_app, revoke_queue_key
from catfeeder.client import Client
from catfeeder.errors import QueueUnreachable, SealBroken
from catfeeder.queue.keys import KeyName
from models.db.database import hold_connection
from tests.servers import ValkeyServer
from worker.queue.key_list import (
    KEY_LIST_KEY,
    MAX_AGE,
    KeyList,
    ServingKeys,
    publish,
    read_published,
    read_stored,
)

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
OLD, NEW = KeyName("shop", 1), KeyName("shop", 2)
BEFORE = KeyList(NOW, {"default": 1, "shop": 1})
AFTER = dataclasses.replace(BEFORE, generations={"default": 1, "shop": 2})


class Source:
    """What a process reads its lists from, with a clock."""

    def __init__(self, found: KeyList | None = None) -> None:
        self.found = found
        self.now = NOW
        self.is_away = False
        self.looks = 0

    def read(self) -> KeyList | None:
        self.looks += 1
        if self.is_away:
            raise QueueUnreachable
        return self.found

    def serving(self, known: KeyList | None = None) -> ServingKeys:
        """Return the keys that serve, which look each time."""
        return ServingKeys(self.read, known, lambda: self.now)


def refusal(keys: ServingKeys, key: KeyName, *, look: bool = True) -> str | None:
    """Return why a key does not serve."""
    if look:
        keys._look_at = 0.0
    try:
        keys.check(key)
    except SealBroken as error:
        return error.detail
    return None


def test_a_revoked_key_stays_so_whatever_list_is_put_back() -> None:
    # Given a process that has heard of a revocation
    source = Source(BEFORE)
    keys = source.serving()
    assert refusal(keys, OLD) is None
    source.found = AFTER
    assert "revoked" in (refusal(keys, OLD) or "")
    # When the list of before is put back, or deleted, or Redis is away
    for found, is_away in ((BEFORE, False), (None, False), (None, True)):
        source.found, source.is_away = found, is_away
        # Then the key stays revoked, and the new one goes on
        assert "revoked" in (refusal(keys, OLD) or "")
        assert refusal(keys, NEW) is None


def test_without_a_recent_list_no_app_is_served() -> None:
    # Given a process with the list of its start, that hears of no other: Redis holds an old one
    source = Source(BEFORE)
    keys = source.serving(BEFORE)
    source.now += MAX_AGE
    assert refusal(keys, OLD) is None
    source.now += timedelta(seconds=1)
    assert "no scheduler says so" in (refusal(keys, OLD) or "")
    # And one from the future is none, which would count as recent for ever
    source.found = dataclasses.replace(BEFORE, issued_at=source.now + 2 * MAX_AGE)
    assert "no scheduler says so" in (refusal(keys, OLD) or "")
    # When one comes again, then the app is served again
    source.found = dataclasses.replace(BEFORE, issued_at=source.now)
    assert refusal(keys, OLD) is None


def test_what_is_unknown_is_looked_up_at_once_and_else_seldom() -> None:
    source = Source(BEFORE)
    keys = source.serving(BEFORE)
    assert refusal(keys, OLD) is None
    looks = source.looks
    assert [refusal(keys, OLD, look=False) for _ in range(100)] == [None] * 100
    assert source.looks == looks
    # A newer generation, or an app that was just made.
    source.found = AFTER
    assert refusal(keys, NEW, look=False) is None
    assert "does not exist" in (refusal(keys, KeyName("blog", 1), look=False) or "")
    assert "no such generation" in (refusal(keys, KeyName("shop", 3), look=False) or "")


@pytest.mark.usefixtures("tables")
def test_the_key_of_a_deleted_app_is_revoked_though_one_of_its_name_is_made_again(
    service: Client,
) -> None:
    # Given an app whose key was revoked once, and that was deleted
    create_app("shop", "The shop", {}, NOW)
    revoke_queue_key("shop", NOW)
    delete_app("shop", NOW)
    with hold_connection():
        assert read_stored().generations == {"default": 1, "shop": 3}
    # When one of its name is made
    assert create_app("shop", "Another", {}, NOW)["queue_generation"] == 3
    # Then what is published is read with the service's key, and is the same
    sealer = service.broker.encoder.sealer
    publish(service.redis, sealer)
    published = read_published(service.redis, sealer)
    assert published is not None
    assert published.generations == {"default": 1, "shop": 3}


@pytest.mark.usefixtures("tables")
def test_a_list_that_an_app_has_sealed_is_none(
    service: Client, client: Client, valkey: ValkeyServer
) -> None:
    forged: Any = client.broker.encoder.sealer.seal(AFTER.to_json(), "keys")
    for value in (forged, b"", b"\x02rubbish"):
        valkey.client.set(KEY_LIST_KEY, value)
        assert read_published(service.redis, service.broker.encoder.sealer) is None
