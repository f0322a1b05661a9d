"""Key rotation: rows are resealed until no old key is needed, and no machine undoes it."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice

import pytest

from actors.upkeep.resealing import (
    Progress,
    reseal,
    reseal_outdated,
    reseal_with_this_key,
    yield_to_writers,
)
from catfeeder.sealing import Secret
from config import Settings
from models.apps import TAB_APPS
from models.db.database import hold_connection, sealer, transaction
from models.db.errors import ForeignSecretKey
from models.migrate import join_service
from models.oauth.connections import TAB_CONNECTIONS
from models.sealing.keys import TAB_SEALING_KEYS
from models.sealing.resealing import ResealedBatch, count_outdated
from tests.models.reopening import reopened
from tests.models.rotation import completed, rotated
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW

LATER = NOW + 100 * 365 * 24 * 60 * MINUTE


@contextmanager
def started(settings: Settings, at_minute: int) -> Iterator[None]:
    """Run the block as a process that was started with these settings."""
    with reopened(settings):
        join_service(LATER + at_minute * MINUTE)
        yield


def store(count: int) -> None:
    """Store connections, sealed with the key of this process, and have no other row."""
    with hold_connection():
        TAB_APPS.delete().execute()
        for number in range(count):
            stored_connection(f"account-{number}", grant=grant(f"access-{number}"))


def outdated() -> int:
    with hold_connection():
        return count_outdated()


def recorded_keys() -> set[str]:
    with hold_connection():
        return {row.key_id for row in TAB_SEALING_KEYS.select()}


def test_stored_rows_are_resealed_and_the_old_key_is_forgotten(database: Settings) -> None:
    # Given rows of before a change of SECRET_KEY
    store(3)
    new = rotated(database)
    with started(new, 1):
        assert len(recorded_keys()) == 2
        assert outdated() == 3

        # When the message comes
        reseal()

        # Then nothing needs the old key any more
        assert outdated() == 0
        assert recorded_keys() == {sealer().current_key_id.hex()}

    # And the service starts without it and reads what is stored
    with started(completed(new), 2), hold_connection():
        [row, *_] = TAB_CONNECTIONS.select().order_by(TAB_CONNECTIONS.provider_subject)
        assert TAB_CONNECTIONS.access_token.open(row) == Secret("access-0")
    # And no more with the old one
    with reopened(database), pytest.raises(ForeignSecretKey):
        join_service(NOW)


def test_a_message_works_for_a_while_and_the_next_one_goes_on(
    tables: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    # Given more rows than a message has time for
    caplog.set_level(logging.INFO)
    store(5)
    with started(rotated(tables), 1):
        # When messages come, then each does something and leaves the rest
        for left in (3, 1, 0):
            assert len(recorded_keys()) == 2
            reseal(batch_size=2, seconds=0)
            assert outdated() == left
        # And the last forgets the old key
        reseal(batch_size=2, seconds=0)
        assert len(recorded_keys()) == 1
    assert "Resealed 2 of 5 rows; more soon." in caplog.text


def test_a_machine_that_is_still_at_the_old_key_does_not_undo_it(database: Settings) -> None:
    # Given one machine that has the new key, and one that knows it and seals with the old one
    store(2)
    new = rotated(database)
    behind = dataclasses.replace(database, previous_secret_keys=(new.required_secret_key(),))
    with started(new, 1):
        reseal()
        assert outdated() == 0

        # When a message comes to the machine that is behind
        with reopened(behind):
            reseal()

        # Then all stays as it is
        assert outdated() == 0


def test_a_machine_that_is_behind_records_its_key_again_at_its_start(database: Settings) -> None:
    # Given that everything has the new key already
    new = rotated(database)
    behind = dataclasses.replace(database, previous_secret_keys=(new.required_secret_key(),))
    with started(new, 1):
        reseal()

    # When a machine starts that still seals with the old one
    with started(behind, 2):
        store(1)

    # Then dropping the old key is refused
    with reopened(completed(new)), pytest.raises(ForeignSecretKey):
        join_service(NOW)


def test_the_command_goes_back_to_the_old_key(database: Settings) -> None:
    # Given that everything has the new key
    store(2)
    new = rotated(database)
    with started(new, 1):
        reseal()

    # When the operator takes that back, and says so
    back = dataclasses.replace(database, previous_secret_keys=(new.required_secret_key(),))
    with started(back, 2):
        assert list(reseal_with_this_key(LATER + 3 * MINUTE))[-1].done == 2

    # Then the new key is needed for nothing
    with started(database, 4):
        assert outdated() == 0


def test_an_interrupted_way_back_goes_on_in_the_background(database: Settings) -> None:
    # Given that the operator goes back to the old key in the midst of a change, and then on the way
    # back presses Ctrl-C
    store(5)
    new = rotated(database)
    with started(new, 1):
        assert [progress.done for progress in islice(reseal_outdated(batch_size=1), 3)] == [1, 2, 3]
    back = dataclasses.replace(database, previous_secret_keys=(new.required_secret_key(),))
    with started(back, 2):
        next(reseal_with_this_key(LATER + 3 * MINUTE, batch_size=1))
        assert outdated() == 2

    # When messages come to a machine that has the new key, and to one that is back
    with reopened(new):
        reseal()
        assert outdated() == 3
    with reopened(back):
        reseal()

        # Then only the latter goes on
        assert outdated() == 0


def test_the_command_finds_what_was_written_with_the_old_key_after_it_was_forgotten(
    database: Settings,
) -> None:
    # Given a process that was not restarted, and writes with the old key when all was done
    new = rotated(database)
    with started(new, 1):
        reseal()
    store(1)

    # When the operator looks once more before they drop the old key
    with started(new, 2):
        progress = list(reseal_with_this_key(LATER + 2 * MINUTE))

        # Then it is found
        assert (progress[-1].done, outdated()) == (1, 0)


def test_a_row_in_use_is_tried_again_until_it_is_free(database: Settings) -> None:
    # Given a row that another process has locked
    store(2)
    with started(rotated(database), 1), ThreadPoolExecutor(1) as pool:
        with transaction():
            TAB_CONNECTIONS.update(failures=1).where(
                TAB_CONNECTIONS.provider_subject == "account-1"
            ).execute()
            sealing = pool.submit(lambda: list(reseal_outdated()))

            # When everything is sealed anew, then it does not end, and does not forget the key
            with pytest.raises(TimeoutError):
                sealing.result(0.3)
            assert len(recorded_keys()) == 2

        # And when the row is free, it ends
        assert sealing.result(60)[-1] == Progress(2, 2, ())
        assert len(recorded_keys()) == 1


def test_half_of_the_time_is_left_to_other_writers() -> None:
    # Given batches that each take a while
    def batches() -> Iterator[ResealedBatch]:
        for _ in range(3):
            time.sleep(0.05)
            yield ResealedBatch(1, 0, ())

    # When they are done one after the other
    began = time.monotonic()
    done = list(yield_to_writers(batches()))

    # Then there is a rest of the same length after each
    assert len(done) == 3
    assert time.monotonic() - began >= 6 * 0.05


@pytest.mark.usefixtures("database")
def test_without_a_change_of_key_there_is_nothing_to_do(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    reseal()

    assert caplog.text == ""
