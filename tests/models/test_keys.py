"""Tests of the noted key ids: a wrong SECRET_KEY shows at start, before it seals anything."""

from __future__ import annotations

import dataclasses

import pytest

from config import Settings
from models.database import connected, sealer
from models.errors import ForeignSecretKey
from models.keys import TAB_SEALING_KEYS, check_secret_key, note_secret_key
from models.migrate import check_schema, migrate
from tests.models.reopening import reopened
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
    assert "set the one this database began with" in str(failure.value)
    assert "SECRET_KEY" in str(failure.value)
    assert OTHER_KEY not in str(failure.value)


def test_a_refused_key_is_not_noted(database: Settings) -> None:
    other = dataclasses.replace(database, secret_key=OTHER_KEY)
    with reopened(other), connected():
        with pytest.raises(ForeignSecretKey):
            note_secret_key(NOW)

        assert TAB_SEALING_KEYS.select().count() == 1
