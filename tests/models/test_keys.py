"""Tests of the noted key ids: a wrong SECRET_KEY shows at start, before it seals anything."""

from __future__ import annotations

import dataclasses

import pytest

from catfeeder.sealing import Secret
from config import Settings
from models.connections import TAB_CONNECTIONS
from models.database import connected, sealer
from models.errors import ForeignSecretKey
from models.keys import TAB_SEALING_KEYS, check_secret_key, note_secret_key
from models.migrate import check_schema, migrate
from tests.models.reopening import reopened
from tests.models.rows import grant, stored_connection
from tests.models.times import NOW

OTHER_KEY = "another-secret-key-that-is-long-enough"


def test_the_first_start_notes_the_key(database: Settings) -> None:  # noqa: ARG001
    with connected():
        noted = [row.key_id for row in TAB_SEALING_KEYS.select()]

        assert noted == [sealer().current_key_id.hex()]
        # And the next ones find it
        check_secret_key()
        note_secret_key(NOW)
        assert TAB_SEALING_KEYS.select().count() == 1


@pytest.mark.parametrize("start", [check_schema, lambda: migrate(NOW)])
def test_a_start_with_another_key_is_refused(database: Settings, start: object) -> None:
    # Given a database that began with one SECRET_KEY
    other = dataclasses.replace(database, secret_key=OTHER_KEY)

    # When the service, or a worker on another machine, starts with another one
    with reopened(other), pytest.raises(ForeignSecretKey) as failure:
        start()  # type: ignore[operator]

    # Then a sentence names the setting, without its value
    assert "set that one, or add it to SECRET_KEY_PREVIOUS" in str(failure.value)
    assert OTHER_KEY not in str(failure.value)


def test_a_refused_key_is_not_noted(database: Settings) -> None:
    other = dataclasses.replace(database, secret_key=OTHER_KEY)
    with reopened(other), connected():
        with pytest.raises(ForeignSecretKey):
            note_secret_key(NOW)

        assert TAB_SEALING_KEYS.select().count() == 1


def test_a_start_with_the_key_among_the_previous_ones_opens_what_is_stored(
    database: Settings,
) -> None:
    # Given something that was sealed with one SECRET_KEY
    with connected():
        row = stored_connection(grant=grant("access-1"))
        old = sealer().current_key_id

    # When the service starts with another one, and knows the old one
    changed = dataclasses.replace(
        database, secret_key=OTHER_KEY, previous_secret_keys=(database.required_secret_key(),)
    )
    with reopened(changed), connected():
        migrate(NOW)
        check_schema()

        # Then it opens what is stored, and seals with the new one
        assert TAB_CONNECTIONS.access_token.open(row) == Secret("access-1")
        assert sealer().current_key_id != old
        # And both are noted: who knows but one of them is refused
        noted = {row.key_id for row in TAB_SEALING_KEYS.select()}
        assert noted == {old.hex(), sealer().current_key_id.hex()}
    with pytest.raises(ForeignSecretKey):
        check_schema()
