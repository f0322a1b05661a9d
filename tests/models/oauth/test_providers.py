"""Tests of the configured providers: put whole, listed by name, their secret sealed."""

from __future__ import annotations

import pytest

from catfeeder.sealing import Secret
from models.db.database import database as the_database
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION
from tests.models.races import race_threads
from tests.models.times import MINUTE, NOW

pytestmark = pytest.mark.usefixtures("held")


def put(name: str = "acme", **changes: object) -> None:
    values = {
        "preset": None,
        "client_id": "client-1",
        "client_secret": Secret("client-secret-1"),
        "metadata": {"issuer": "https://login.acme.example"},
        "now": NOW,
    }
    TAB_USER_OAUTH_CONNECTION.put(name, **{**values, **changes})  # type: ignore[arg-type]


def named(name: str = "acme") -> TAB_USER_OAUTH_CONNECTION:
    row = TAB_USER_OAUTH_CONNECTION.find(name)
    assert row is not None
    return row


def test_a_provider_is_kept_as_it_was_put() -> None:
    put()
    row = named()

    assert (row.preset, row.client_id) == (None, "client-1")
    assert row.metadata == {"issuer": "https://login.acme.example"}
    assert TAB_USER_OAUTH_CONNECTION.client_secret.open(row) == Secret("client-secret-1")
    assert (row.discovered, row.discovered_at) == (None, None)
    assert (row.created_at, row.updated_at) == (NOW, NOW)


def test_the_client_secret_is_not_readable_in_the_table() -> None:
    put()
    (row,) = the_database.execute_sql("SELECT * FROM user_oauth_connection").fetchall()

    assert b"client-1" in b"".join(str(cell).encode() for cell in row)
    assert b"client-secret-1" not in b"".join(
        bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode() for cell in row
    )


def test_an_unknown_provider_is_none() -> None:
    assert TAB_USER_OAUTH_CONNECTION.find("unknown") is None


def test_putting_a_provider_again_replaces_all_of_it() -> None:
    # Given a provider whose issuer was asked what it publishes
    put()
    TAB_USER_OAUTH_CONNECTION.get_by_id("acme").store_discovery({"issuer": "x"}, NOW)

    # When it is put anew
    later = NOW + MINUTE
    put(preset="google", client_id=None, client_secret=None, metadata={}, now=later)

    # Then nothing of the old one is left but its birthday
    row = named()
    assert (row.preset, row.client_id, row.client_secret, row.metadata) == (
        "google",
        None,
        None,
        {},
    )
    assert (row.discovered, row.discovered_at) == (None, None)
    assert (row.created_at, row.updated_at) == (NOW, later)


def test_what_an_issuer_publishes_is_remembered() -> None:
    put()
    TAB_USER_OAUTH_CONNECTION.get_by_id("acme").store_discovery({"jwks_uri": "https://x"}, NOW)
    row = named()

    assert (row.discovered, row.discovered_at) == ({"jwks_uri": "https://x"}, NOW)


def test_a_preset_is_added_unless_a_provider_of_its_name_exists() -> None:
    put("google", client_id="mine")
    TAB_USER_OAUTH_CONNECTION.add_missing("google", "google", NOW)
    TAB_USER_OAUTH_CONNECTION.add_missing("github", "github", NOW)

    assert (named("google").client_id, named("google").preset) == ("mine", None)
    assert (named("github").preset, named("github").metadata) == ("github", {})


def test_processes_that_add_the_same_preset_at_once_do_not_fail() -> None:
    race_threads(4, lambda _: TAB_USER_OAUTH_CONNECTION.add_missing("github", "github", NOW))

    assert len(TAB_USER_OAUTH_CONNECTION.list_all()) == 1


def test_a_provider_is_erased_once() -> None:
    put()

    assert TAB_USER_OAUTH_CONNECTION.erase("acme")
    assert not TAB_USER_OAUTH_CONNECTION.erase("acme")
