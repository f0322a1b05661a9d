"""Tests of finding the grants that end soon: the first ones first, by an index, each given once."""

from __future__ import annotations

import ast
from datetime import datetime, timedelta
from typing import Final

import pytest

from config import Settings
from models.db.database import database as the_database
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.grants import Grant, GrantEnd
from models.renewal.forecasts import advance_warning, list_due_warnings
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW, SECOND

_END: Final = NOW + timedelta(days=14)


def ending(warn_at: datetime | None) -> Grant:
    """What a token endpoint grants, and of which somebody is to be told."""
    plain = grant()
    return Grant(
        access_token=plain.access_token,
        refresh_token=plain.refresh_token,
        token_type="Bearer",
        scope="openid",
        expires_at=None,
        renew_at=None,
        end=GrantEnd(_END, warn_at),
    )


@pytest.mark.usefixtures("database")
def test_the_first_comes_first_and_what_is_not_due_not_at_all() -> None:
    with hold_connection():
        for name, warn_at in (
            ("b", NOW),
            ("a", NOW - MINUTE),
            ("late", NOW + SECOND),
            ("no", None),
        ):
            stored_connection(name, grant=ending(warn_at))

        assert [row.provider_subject for row in list_due_warnings(NOW, 10)] == ["a", "b"]
        assert [row.provider_subject for row in list_due_warnings(NOW, 1)] == ["a"]
        assert list_due_warnings(NOW - 2 * MINUTE, 10) == []


@pytest.mark.usefixtures("database")
def test_of_those_who_saw_it_one_gives_a_warning() -> None:
    with hold_connection():
        stored_connection("a", grant=ending(NOW))
        (first,), (second,) = list_due_warnings(NOW, 10), list_due_warnings(NOW, 10)

        assert advance_warning(first, NOW + MINUTE)
        assert not advance_warning(second, NOW + MINUTE)
        assert list_due_warnings(NOW, 10) == []
        assert len(list_due_warnings(NOW + MINUTE, 10)) == 1


@pytest.mark.usefixtures("database")
def test_a_grant_that_came_meanwhile_is_not_told_of_as_the_old_one() -> None:
    with hold_connection():
        stored_connection("a", grant=ending(NOW))
        (row,) = list_due_warnings(NOW, 10)
        # Even one that is to be told of at the same time
        stored_connection("a", grant=ending(NOW))

        assert not advance_warning(row, None)
        assert TAB_CONNECTIONS.get_by_id(row.id).warn_at == NOW


@pytest.mark.usefixtures("database")
def test_a_grant_without_an_end_of_its_own_leaves_the_one_that_is_known() -> None:
    with hold_connection():
        stored_connection("a", grant=ending(NOW))
        row = stored_connection("a", grant=grant("new"))
        assert (row.grant_expires_at, row.warn_at) == (_END, NOW)
        # And so does a consent that brings no refresh token, where one stays in force
        other = ending(NOW + MINUTE)
        without = Grant(
            access_token=other.access_token,
            refresh_token=None,
            token_type="Bearer",
            scope="openid",
            expires_at=None,
            renew_at=None,
            end=GrantEnd(None, None),
        )
        row = stored_connection("a", grant=without)
        assert (row.grant_expires_at, row.warn_at) == (_END, NOW)


def test_what_is_not_due_is_not_read(
    tables: Settings,  # noqa: ARG001
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given how SQLite was asked
    caplog.set_level("DEBUG", "peewee")
    with hold_connection():
        list_due_warnings(NOW, 100)
        [sql, parameters] = ast.literal_eval(caplog.messages[-1])
        plan = the_database.execute_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()

    # Then it goes along the index, and sorts nothing
    [step] = [step[-1] for step in plan]
    assert step.startswith("SEARCH")
    assert "(warn_at" in step
