"""Tests of the renewal schedule: what falls due is listed in order, and nothing is claimed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.leases import claim
from models.renewal.upcoming import list_upcoming_renewals
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW

pytestmark = pytest.mark.usefixtures("held")


def names(limit: int = 100, **filters: Any) -> list[str]:
    """Return the accounts that fall due."""
    return [row.provider_subject for row in list_upcoming_renewals(limit=limit, **filters)]


def store(name: str, renew_at: datetime | None, **columns: Any) -> TAB_CONNECTIONS:
    return stored_connection(name, grant=grant(renew_at=renew_at), **columns)


def test_the_next_renewal_comes_first_and_one_that_is_never_due_is_not_listed() -> None:
    store("later", NOW + 5 * MINUTE)
    store("never", None)
    store("overdue", NOW - MINUTE)
    store("now", NOW)

    assert names() == ["overdue", "now", "later"]
    assert names(before=NOW) == ["overdue"]
    assert names(before=NOW + MINUTE) == ["overdue", "now"]
    assert names(limit=2) == ["overdue", "now"]


def test_renewals_are_filtered_by_provider_subject_and_status() -> None:
    store("a", NOW, provider="google", subject="u-1")
    store("b", NOW + MINUTE, provider="github", subject="u-1")
    failing = store("c", NOW + 2 * MINUTE, provider="google")
    TAB_CONNECTIONS.update(status=ConnectionStatus.RENEWAL_FAILING).where(
        TAB_CONNECTIONS.id == failing.id
    ).execute()

    assert names(provider="google") == ["a", "c"]
    assert names(subject="u-1") == ["a", "b"]
    assert names(status="renewal_failing") == ["c"]
    assert names(provider="github", subject="u-1", status="active") == ["b"]
    assert names(provider="another") == []


def test_pages_omit_nothing_and_repeat_nothing() -> None:
    # Given many that fall due at the same moment
    for number in range(9):
        store(f"account-{number}", NOW + (number // 5) * MINUTE)

    # When they are read page by page
    seen: list[TAB_CONNECTIONS] = []
    after = None
    while page := list_upcoming_renewals(after=after, limit=2):
        seen += page
        after = (page[-1].renew_at, page[-1].id)

    # Then each comes once, and in order
    assert len({row.id for row in seen}) == len(seen) == 9
    assert [row.renew_at for row in seen] == sorted(row.renew_at for row in seen)


def test_listing_claims_nothing() -> None:
    row = store("a", NOW - MINUTE)

    names()

    assert TAB_CONNECTIONS.get_by_id(row.id).lease_until is None
    assert claim(row.id, NOW, NOW + MINUTE) is not None
