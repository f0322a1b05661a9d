"""Tests of what an app may see of stored connections: all but the tokens, and those on request."""

from __future__ import annotations

import base64
import contextlib
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.connections.errors import ConnectionUnknown, ReauthorizationRequired, RenewalFailing
from actors.connections.reading import describe_connection, find_connection, list_connections
from actors.connections.token_reading import read_token
from actors.errors import CursorInvalid
from catfeeder.clock import rfc3339
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from tests.actors.renewals import HOUR, change
from tests.models.rows import grant, stored_connection
from tests.models.times import NOW

pytestmark = pytest.mark.usefixtures("tables")


def store(
    account: str = "1",
    *,
    provider: str = "google",
    subject: str = "",
    at: datetime = NOW,
    expires_at: datetime | None = NOW + HOUR,
    renew_at: datetime | None = NOW + HOUR / 2,
    **changes: Any,
) -> TAB_CONNECTIONS:
    with hold_connection():
        row = stored_connection(
            provider=provider,
            subject=subject,
            profile={"subject": account, "name": "Jos\u00e9"},
            grant=grant(f"access-{account}", expires_at=expires_at, renew_at=renew_at),
            now=at,
        )
    if changes:
        change(row, **changes)
    return row


# -- Describing


def test_a_connection_is_described_without_its_tokens() -> None:
    row = store(subject="user-42")

    described = describe_connection(find_connection(row.id))

    assert dict(described) == {
        "id": row.id,
        "app": "default",
        "provider": "google",
        "subject": "user-42",
        "profile": {"subject": "1", "name": "Jos\u00e9", "source": None},
        "scope": "openid",
        "metadata": {},
        "variables": {},
        "missing_scopes": [],
        "status": "active",
        "reason": None,
        "resource": [],
        "auth_time": None,
        "acr": None,
        "expires_at": "2026-11-23T13:00:00.000Z",
        "created_at": "2026-11-23T12:00:00.000Z",
        "updated_at": "2026-11-23T12:00:00.000Z",
    }
    assert type(dict(described)["status"]) is str
    json.dumps(described)


@pytest.mark.usefixtures("database")
def test_an_id_that_is_none_finds_nothing() -> None:
    row = store()
    assert find_connection(row.id).id == row.id

    unknown = "00000000-0000-0000-0000-000000000000"
    for text in ("", "1", unknown, row.id.upper(), f" {row.id}", "\0" * 36, "\ud800", "%"):
        with pytest.raises(ConnectionUnknown):
            find_connection(text)


def test_times_are_in_utc_whatever_their_zone() -> None:
    elsewhere = timezone(timedelta(hours=-8))

    assert rfc3339(datetime(2026, 11, 23, 4, 0, 0, 123456, elsewhere)) == "2026-11-23T12:00:00.123Z"
    assert rfc3339(None) is None


# -- Pages


def read_all(limit: int, **filters: Any) -> list[list[str]]:
    """Follow the cursors to the end; return the accounts page by page."""
    pages, cursor = [], None
    while True:
        page = list_connections(cursor=cursor, limit=limit, **filters)
        pages.append([item["profile"]["subject"] or "" for item in page["items"]])
        cursor = page["next_cursor"]
        if cursor is None:
            return pages


@pytest.mark.usefixtures("database")
def test_pages_follow_one_another_the_oldest_first() -> None:
    # Given seven connections, three of which were made in the same moment
    for number in range(4):
        store(str(number), at=NOW + number * HOUR)
    for number in range(4, 7):
        store(str(number), at=NOW + 4 * HOUR)

    # Then each is read once, whatever the size of a page
    for limit in (1, 2, 3, 6, 7, 8):
        pages = read_all(limit)
        accounts = [account for page in pages for account in page]
        assert accounts[:4] == ["0", "1", "2", "3"]
        assert sorted(accounts[4:]) == ["4", "5", "6"]
        assert len(accounts) == 7
        # And no page is empty, but for the first of none
        assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
        assert pages[-1]
    assert list_connections(provider="none") == {"items": [], "next_cursor": None}


def test_a_page_goes_on_where_the_last_one_ended_though_rows_have_gone() -> None:
    rows = [store(str(number), at=NOW + number * HOUR) for number in range(4)]
    first = list_connections(limit=2)

    with hold_connection():
        TAB_CONNECTIONS.erase(rows[1].id)
        TAB_CONNECTIONS.erase(rows[2].id)
    store("new", at=NOW + 9 * HOUR)

    second = list_connections(limit=2, cursor=first["next_cursor"])
    assert [item["profile"]["subject"] or "" for item in second["items"]] == ["3", "new"]
    assert second["next_cursor"] is None


def test_connections_are_found_by_what_they_are() -> None:
    store("1", provider="google", subject="a")
    store("2", provider="github", subject="a", at=NOW + HOUR)
    failing = ConnectionStatus.RENEWAL_FAILING
    store("3", provider="google", subject="b", at=NOW + 2 * HOUR, status=failing)

    assert read_all(1, provider="google") == [["1"], ["3"]]
    assert read_all(5, subject="a") == [["1", "2"]]
    assert read_all(5, status="renewal_failing") == [["3"]]
    assert read_all(5, provider="google", subject="a", status="active") == [["1"]]
    assert read_all(5, provider="github", subject="b") == [[]]


def cursor_of(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


KNOWN_ID = "00000000-0000-4000-8000-000000000000"


@pytest.mark.usefixtures("database")
def test_a_cursor_that_no_page_gave_is_refused() -> None:
    at = NOW.isoformat()
    for cursor in (
        "x",
        "====",
        "\ud800",
        "\0",
        cursor_of(None),
        cursor_of([]),
        cursor_of([at]),
        cursor_of([at, KNOWN_ID, 1]),
        cursor_of([5, KNOWN_ID]),
        cursor_of([at, 5]),
        cursor_of([at, "a\0b"]),
        cursor_of([at, "' OR 1=1 --"]),
        cursor_of(["2026-11-23T12:00:00", KNOWN_ID]),
        cursor_of(["yesterday", KNOWN_ID]),
        cursor_of({at: 1, KNOWN_ID: 2}),
        base64.urlsafe_b64encode(b"[" * 3000).decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ):
        with pytest.raises(CursorInvalid):
            list_connections(cursor=cursor)


def test_a_cursor_may_name_any_time() -> None:
    store()
    for at in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        list_connections(cursor=cursor_of([at, KNOWN_ID]))


@settings(max_examples=50)
@given(cursor=st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_cursor_is_a_page_or_refused(cursor: str) -> None:
    with contextlib.suppress(CursorInvalid):
        assert set(list_connections(cursor=cursor)) == {"items", "next_cursor"}


# -- Tokens


@pytest.mark.usefixtures("database")
def test_a_token_is_returned_with_its_type_scope_and_end() -> None:
    view = read_token(store().id, NOW)

    assert view.json == {
        "access_token": "access-1",
        "token_type": "Bearer",
        "expires_at": "2026-11-23T13:00:00.000Z",
        "scope": "openid",
        "renewal_failing": False,
        "metadata": {},
        "headers": {"Authorization": "Bearer access-1"},
        "query_parameters": {},
    }
    assert (view.is_stale, view.is_usable) == (False, True)


MOMENT = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("at", "is_stale", "is_usable"),
    [
        (NOW + HOUR / 2 - MOMENT, False, True),
        (NOW + HOUR / 2, True, True),
        (NOW + HOUR - MOMENT, True, True),
        (NOW + HOUR, True, False),
    ],
)
def test_a_token_is_stale_when_it_is_due_and_useless_when_it_has_expired(
    at: datetime, is_stale: bool, is_usable: bool
) -> None:
    view = read_token(store().id, at)

    assert (view.is_stale, view.is_usable) == (is_stale, is_usable)


def test_a_token_without_an_end_is_never_stale() -> None:
    view = read_token(store(expires_at=None, renew_at=None).id, NOW + 10_000 * HOUR)

    assert (view.is_stale, view.is_usable) == (False, True)
    assert view.json["expires_at"] is None


def test_a_valid_token_is_served_while_renewal_fails() -> None:
    row = store(status=ConnectionStatus.RENEWAL_FAILING, renew_at=NOW + HOUR / 4)

    view = read_token(row.id, NOW)
    assert view.json["renewal_failing"] is True
    # And the provider is not asked again before the next try is due
    assert (view.is_stale, view.is_usable) == (False, True)


def test_a_token_that_has_expired_is_not_asked_for_before_the_next_try_is_due() -> None:
    status = ConnectionStatus.RENEWAL_FAILING
    row = store(status=status, renew_at=NOW + 2 * HOUR)

    # Given a token that has expired, of which a renewal failed a short while ago
    view = read_token(row.id, NOW + HOUR)
    # Then reading does not ask the provider, and the error says when to come back
    assert (view.is_stale, view.is_usable) == (False, False)
    with pytest.raises(RenewalFailing) as raised:
        view.check_not_postponed(NOW + HOUR)
    assert raised.value.headers == {"Retry-After": "3600"}

    # And does when it is time
    view = read_token(row.id, NOW + 2 * HOUR)
    view.check_not_postponed(NOW + 2 * HOUR)
    assert (view.is_stale, view.is_usable) == (True, False)


@pytest.mark.parametrize("status", ["reauthorization_required", "revoked"])
def test_a_grant_that_is_gone_yields_its_token_to_the_end_and_no_longer(status: str) -> None:
    row = store(status=status, renew_at=None)

    view = read_token(row.id, NOW)
    assert (view.is_stale, view.is_usable) == (False, True)
    with pytest.raises(ReauthorizationRequired):
        read_token(row.id, NOW + HOUR)


def test_a_connection_without_any_token_needs_the_user() -> None:
    with pytest.raises(ReauthorizationRequired):
        read_token(store(access_token=None, refresh_token=None).id, NOW)
    # And one that was moved in with a refresh token alone is renewed now, unless that has failed
    view = read_token(store("2", access_token=None, renew_at=NOW + HOUR).id, NOW)
    assert (view.is_stale, view.is_usable) == (True, False)
    view = read_token(
        store("3", access_token=None, renew_at=NOW + HOUR, status="renewal_failing").id, NOW
    )
    assert (view.is_stale, view.is_usable) == (False, False)


def test_a_token_type_that_was_stored_before_is_written_right() -> None:
    row = store(token_type="bearer")

    assert read_token(row.id, NOW).json["token_type"] == "Bearer"
