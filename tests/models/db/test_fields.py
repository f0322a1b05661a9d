"""Tests of the columns that the databases lack: times, JSON, and sealed secrets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import peewee
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catfeeder.errors import SealBroken
from config import Settings
from models.db.database import Table, hold_connection
from models.db.database import database as the_database
from models.db.fields import JSONField, SealedField, UTCDateTimeField
from models.oauth.connections import TAB_CONNECTIONS
from tests.models.rows import grant, stored_connection
from tests.models.times import NOW

# -- Sealed secrets


@pytest.fixture
def connection(database: Settings) -> TAB_CONNECTIONS:  # noqa: ARG001
    """A stored connection, whose tokens are sealed."""
    with hold_connection():
        return stored_connection(grant=grant("access-1", "refresh-1"))


def test_a_sealed_secret_is_not_readable_in_the_table(connection: TAB_CONNECTIONS) -> None:
    with hold_connection():
        rows = the_database.execute_sql("SELECT * FROM connections").fetchall()

    cells = [cell for row in rows for cell in row]
    everything = b"".join(
        bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()
        for cell in cells
    )
    assert connection.id.encode() in everything
    assert b"access-1" not in everything
    assert b"refresh-1" not in everything


def test_a_secret_copied_into_another_row_does_not_open(connection: TAB_CONNECTIONS) -> None:
    # Given two connections
    with hold_connection():
        other = stored_connection(provider_subject="another")

        # When an attacker with write access copies one's token to the other
        TAB_CONNECTIONS.update(access_token=connection.access_token).where(
            TAB_CONNECTIONS.id == other.id
        ).execute()
        other = TAB_CONNECTIONS.get_by_id(other.id)

    # Then it does not open there
    with pytest.raises(SealBroken):
        TAB_CONNECTIONS.access_token.open(other)


def test_a_secret_copied_into_another_column_does_not_open(connection: TAB_CONNECTIONS) -> None:
    with hold_connection():
        TAB_CONNECTIONS.update(access_token=TAB_CONNECTIONS.refresh_token).execute()
        connection = TAB_CONNECTIONS.get_by_id(connection.id)

    with pytest.raises(SealBroken):
        TAB_CONNECTIONS.access_token.open(connection)


class OtherTable(Table):
    """A table that names its columns as another does."""

    id = peewee.CharField(primary_key=True)
    access_token = SealedField()


def test_a_secret_copied_into_another_table_does_not_open(connection: TAB_CONNECTIONS) -> None:
    # Given a row of the same id, with a column of the same name
    other = OtherTable(id=connection.id, access_token=connection.access_token)

    # Then the connection's token does not open there
    with pytest.raises(SealBroken):
        OtherTable.access_token.open(other)


def test_no_secret_is_stored_as_nothing(connection: TAB_CONNECTIONS) -> None:
    assert TAB_CONNECTIONS.refresh_token.seal("id", None) is None
    connection.refresh_token = None
    assert TAB_CONNECTIONS.refresh_token.open(connection) is None


# -- Times


@pytest.mark.usefixtures("database")
def test_a_time_comes_back_in_utc_to_the_millisecond() -> None:
    # Given a time of another zone
    tokyo = timezone(timedelta(hours=9))
    then = datetime(2026, 11, 23, 21, 0, 0, 123456, tzinfo=tokyo)

    # When it is stored
    with hold_connection():
        row = stored_connection(grant=grant(expires_at=then))

    # Then it is the same moment in UTC
    assert row.expires_at == datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)
    assert row.expires_at.tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        UTCDateTimeField().db_value(datetime(2026, 11, 23))  # noqa: DTZ001


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_time_survives_to_the_millisecond_and_keeps_its_order(then: datetime) -> None:
    field = UTCDateTimeField()

    stored = field.db_value(then)

    assert stored is not None
    assert timedelta(0) <= then - (field.python_value(stored) or NOW) < timedelta(milliseconds=1)


# -- JSON


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_json_survives_in_ascii(value: object) -> None:
    field = JSONField()

    text = field.db_value({"value": value})

    assert text is not None
    assert text.isascii()
    assert field.python_value(text) == {"value": value}


@pytest.mark.usefixtures("database")
def test_a_profile_with_half_a_character_and_a_nul_is_stored() -> None:
    # Given what a provider may send: JSON that escapes half a surrogate pair, and a NUL, which
    # PostgreSQL takes in no text
    profile = json.loads('{"subject": "1", "name": "\\ud83d\\u0000"}')

    # When it is stored
    with hold_connection():
        row = stored_connection(profile=profile)

    # Then it comes back as it was
    assert row.profile == profile
