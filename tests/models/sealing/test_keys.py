"""Tests of recorded key ids: a wrong SECRET_KEY shows at start, before it seals anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime

import pytest

from catfeeder.sealing import Secret
from config import Settings
from models.db.database import hold_connection, sealer
from models.db.errors import ForeignSecretKey, SecretKeyTooNew
from models.migrate import join_service, migrate
from models.oauth.connections import TAB_CONNECTIONS
from models.sealing.keys import (
    TAB_SEALING_KEYS,
    check_secret_key,
    erase_other_keys,
    has_other_keys,
    is_preferred,
    prefer_secret_key,
    record_secret_key,
)
from tests.models.reopening import reopened
from tests.models.rotation import completed, rotated
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW

OTHER_KEY = "another-secret-key-that-is-long-enough"


def test_the_first_start_records_the_key(database: Settings) -> None:  # noqa: ARG001
    with hold_connection():
        noted = [row.key_id for row in TAB_SEALING_KEYS.select()]

        assert noted == [sealer().current_key_id.hex()]
        # And the next ones find it
        check_secret_key()
        record_secret_key(NOW)
        assert TAB_SEALING_KEYS.select().count() == 1


@pytest.mark.parametrize("start", [join_service, migrate])
def test_a_start_with_another_key_is_refused(
    database: Settings, start: Callable[[datetime], object]
) -> None:
    # Given a database that began with one SECRET_KEY
    other = dataclasses.replace(database, secret_key=OTHER_KEY)

    # When the service, or a worker on another machine, starts with another one
    with reopened(other), pytest.raises(ForeignSecretKey) as failure:
        start(NOW)

    # Then a sentence names the setting, without its value
    assert "set that one, or add it to SECRET_KEY_PREVIOUS" in str(failure.value)
    assert OTHER_KEY not in str(failure.value)


def test_a_refused_key_is_not_recorded(database: Settings) -> None:
    other = dataclasses.replace(database, secret_key=OTHER_KEY)
    with reopened(other), hold_connection():
        with pytest.raises(ForeignSecretKey):
            record_secret_key(NOW)

        assert TAB_SEALING_KEYS.select().count() == 1


def test_a_start_with_the_key_among_the_previous_ones_opens_what_is_stored(
    database: Settings,
) -> None:
    # Given something that was sealed with one SECRET_KEY
    with hold_connection():
        row = stored_connection(grant=grant("access-1"))
        old = sealer().current_key_id

    # When the service starts with another one, and knows the old one
    changed = dataclasses.replace(
        database, secret_key=OTHER_KEY, previous_secret_keys=(database.required_secret_key(),)
    )
    with reopened(changed), hold_connection():
        migrate(NOW)
        join_service(NOW)

        # Then it opens what is stored, and seals with the new one
        assert TAB_CONNECTIONS.access_token.open(row) == Secret("access-1")
        assert sealer().current_key_id != old
        # And both are recorded: a process that knows one of them alone is refused
        noted = {row.key_id for row in TAB_SEALING_KEYS.select()}
        assert noted == {old.hex(), sealer().current_key_id.hex()}
    with pytest.raises(ForeignSecretKey):
        join_service(NOW)


# -- Which of several keys is to be that of everything


@pytest.fixture
def changed(tables: Settings) -> Settings:
    """The settings after a change of SECRET_KEY, when the service has been started with them."""
    with hold_connection():
        TAB_SEALING_KEYS.update(first_used_at=NOW).execute()
    with reopened(rotated(tables)):
        join_service(NOW + MINUTE)
    return rotated(tables)


def behind(settings: Settings) -> Settings:
    """The settings of a machine that knows the new key and seals with the old one."""
    new, old = settings.secret_keys()
    return dataclasses.replace(settings, secret_key=old, previous_secret_keys=(new,))


def test_the_key_that_came_last_is_preferred(changed: Settings) -> None:
    with reopened(changed), hold_connection():
        assert is_preferred()
        assert has_other_keys()
    with reopened(behind(changed)), hold_connection():
        # A machine that starts later with the old one changes nothing of that.
        join_service(NOW + 2 * MINUTE)
        assert not is_preferred()


def test_a_key_is_preferred_that_the_operator_goes_back_to(changed: Settings) -> None:
    with reopened(behind(changed)), hold_connection():
        prefer_secret_key(NOW + 2 * MINUTE)
        assert is_preferred()
    with reopened(changed), hold_connection():
        assert not is_preferred()


def test_a_key_that_no_process_was_started_with_cannot_be_preferred(changed: Settings) -> None:
    # Given a key in the operator's settings that no process seals with yet
    # When it is declared to be the one for everything, then that is refused: the running service
    # could not open what that key seals
    with (
        reopened(rotated(changed, OTHER_KEY[::-1])),
        hold_connection(),
        pytest.raises(SecretKeyTooNew, match="restart them first"),
    ):
        prefer_secret_key(NOW + 2 * MINUTE)
    with reopened(changed), hold_connection():
        assert is_preferred()


def test_a_key_that_was_never_recorded_is_not_preferred(changed: Settings) -> None:
    with reopened(rotated(changed, OTHER_KEY[::-1])), hold_connection():
        assert not is_preferred()


def test_previous_keys_of_this_process_are_erased_and_no_others(changed: Settings) -> None:
    with reopened(changed), hold_connection():
        # Given the key of another process, which this one does not know
        TAB_SEALING_KEYS.create(key_id="12345678", first_used_at=NOW + 2 * MINUTE)
        ours = sealer().current_key_id.hex()

        # When our earlier ones are forgotten
        erase_other_keys()

        # Then theirs stays
        assert {row.key_id for row in TAB_SEALING_KEYS.select()} == {ours, "12345678"}
        assert has_other_keys()
        assert not is_preferred()


def test_an_erased_key_does_not_start_the_service(changed: Settings) -> None:
    with reopened(changed), hold_connection():
        erase_other_keys()
        assert not has_other_keys()
    with reopened(completed(changed)):
        join_service(NOW)
    with pytest.raises(ForeignSecretKey):
        join_service(NOW)
