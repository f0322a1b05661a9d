"""The keys of the database as a process remembers them: for seconds, and never a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from actors.api_keys import KeyHolder, MadeApiKey, make_api_key, revoke_api_key
from catfeeder.clock import utc_now
from models.api_keys import TAB_API_KEYS
from models.db.database import hold_connection
from models.db.errors import DatabaseUnreachable
from tests.actors.providers.clock import Clock
from tests.models.statements import record_statements
from worker.http.auth.stored_keys import StoredKeyCache

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]


@pytest.fixture
def clock() -> Clock:
    """The clock of the process."""
    return Clock()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids that the database was asked for."""
    asked: list[str] = []
    look: Callable[..., Any] = TAB_API_KEYS.find_valid

    def counted(key_id: str, *arguments: Any) -> Any:
        asked.append(key_id)
        return look(key_id, *arguments)

    monkeypatch.setattr(TAB_API_KEYS, "find_valid", counted)
    return asked


def make(expires_at: datetime | None = None) -> MadeApiKey:
    return make_api_key(
        name="shop", scopes=["jobs"], requests_per_minute=60, expires_at=expires_at, now=utc_now()
    )


async def test_a_key_is_looked_up_every_few_seconds(clock: Clock, looks: list[str]) -> None:
    made, keys = make(), StoredKeyCache(clock)
    holder = KeyHolder(made["id"], frozenset({"jobs"}), 60)
    # Given a key that is used all the time
    assert [await keys.find_holder(made["key"]) for _ in range(3)] == [holder] * 3
    clock.seconds = Clock.START + 4.9
    assert await keys.find_holder(made["key"]) == holder
    # Then the database is asked once
    assert looks == [made["id"]]
    # And again after five seconds
    clock.seconds = Clock.START + 5
    assert await keys.find_holder(made["key"]) == holder
    assert len(looks) == 2


async def test_a_key_is_not_remembered_beyond_its_end(clock: Clock, looks: list[str]) -> None:
    # Given a key that ends before it would be looked up again
    made, keys = make(utc_now() + timedelta(seconds=3)), StoredKeyCache(clock)
    assert await keys.find_holder(made["key"]) is not None
    # When its end has come, then it is looked up
    clock.seconds = Clock.START + 3
    await keys.find_holder(made["key"])
    assert len(looks) == 2


async def test_a_key_that_was_revoked_elsewhere_dies_within_five_seconds(clock: Clock) -> None:
    made, keys = make(), StoredKeyCache(clock)
    await keys.find_holder(made["key"])
    # Given that another process revokes the key
    revoke_api_key(made["id"], utc_now())
    # When five seconds have passed, then it serves nobody, and goes on so
    clock.seconds = Clock.START + 5
    assert await keys.find_holder(made["key"]) is None
    assert len(keys) == 0
    assert await keys.find_holder(made["key"]) is None


async def test_what_was_revoked_here_dies_at_once(clock: Clock) -> None:
    made, keys = make(), StoredKeyCache(clock)
    await keys.find_holder(made["key"])
    revoke_api_key(made["id"], utc_now())
    keys.clear()
    assert await keys.find_holder(made["key"]) is None


async def test_wrong_keys_are_not_remembered(clock: Clock, looks: list[str]) -> None:
    made, keys = make(), StoredKeyCache(clock)
    wrong = made["key"][:-43] + made["key"][-43:].swapcase()
    for _ in range(3):
        assert await keys.find_holder(wrong) is None
    assert len(looks) == 3
    assert len(keys) == 0


async def test_without_a_database_only_what_is_fresh_is_known(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, keys = make(), StoredKeyCache(clock)
    await keys.find_holder(made["key"])

    def unreachable(*_arguments: object) -> None:
        raise DatabaseUnreachable

    # Given a database that goes away
    monkeypatch.setattr("worker.http.auth.stored_keys.find_holder", unreachable)
    # Then a key serves for as long as it is remembered, and no longer
    assert await keys.find_holder(made["key"])
    clock.seconds = Clock.START + 5
    with pytest.raises(DatabaseUnreachable):
        await keys.find_holder(made["key"])


async def test_the_last_use_of_a_key_is_written_once_a_minute(clock: Clock) -> None:
    # Given a key that was used half a minute ago, and another that nothing has used for an hour
    now, keys = utc_now(), StoredKeyCache(clock)
    recent, idle = make(), make()
    ages = {recent["id"]: timedelta(seconds=30), idle["id"]: timedelta(hours=1)}
    with hold_connection():
        for key_id, age in ages.items():
            TAB_API_KEYS.update(last_used_at=now - age).where(TAB_API_KEYS.id == key_id).execute()
    # When both are used
    with record_statements() as statements:
        for made in (recent, idle):
            assert await keys.find_holder(made["key"])
    # Then the idle one's use is written, and the other's is near enough
    assert sum("UPDATE" in sql for sql in statements) == 1
    with hold_connection():
        used = {row.id: now - row.last_used_at for row in TAB_API_KEYS.list_all()}
    assert used[recent["id"]] > timedelta(seconds=20) > used[idle["id"]]
