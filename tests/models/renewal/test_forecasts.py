"""Tests of warning of grants that end: the longest due first, each by one process."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import pytest

from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.grants import Grant, GrantEnd
from models.renewal.forecasts import advance_warning, list_due_warnings
from tests.models.rows import grant, stored_connection
from tests.models.times import NOW

pytestmark = pytest.mark.usefixtures("held")
_END: Final = NOW + timedelta(days=14)


def store(name: str = "a", warn_at: datetime | None = NOW) -> TAB_CONNECTIONS:
    """A connection whose grant ends, and of which its app is to be warned."""
    return stored_connection(name, grant=grant(end=GrantEnd(_END, warn_at)))


def test_the_warning_of_an_old_grant_is_not_given_for_a_new_one() -> None:
    store()
    (row,) = list_due_warnings(NOW, 10)
    # Even if the new one's is due at the same time
    store()

    assert not advance_warning(row, None)
    assert TAB_CONNECTIONS.get_by_id(row.id).warn_at == NOW


@pytest.mark.parametrize(
    "second",
    [grant("new"), grant("new", None, end=GrantEnd())],
    ids=["no end", "no refresh token, so that the stored one stays in force"],
)
def test_a_grant_without_an_end_of_its_own_keeps_the_stored_end(second: Grant) -> None:
    store()

    row = stored_connection("a", grant=second)

    assert (row.grant_expires_at, row.warn_at) == (_END, NOW)
