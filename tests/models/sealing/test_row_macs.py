"""Tests of the MACs of rows: what decides access has one, and each says its place."""

from __future__ import annotations

from typing import Any, Final

import pytest

from config import Settings
from models.apps import TAB_APPS
from models.db.database import Table, hold_connection
from models.db.database import database as the_database
from models.db.errors import DatabaseUnreachable
from models.db.fields import SealedField
from models.migrate import migrate
from models.oauth.connections import TAB_CONNECTIONS
from models.sealing.resealing import reseal_all
from models.sealing.row_macs import Authenticated, MacField
from tests.models.reopening import reopened
from tests.models.rotation import completed, rotated
from tests.models.rows import stored_connection
from tests.models.test_migrate import all_tables
from tests.models.times import NOW

_SCHEDULE: Final = "decides when something is done, and not what or for whom"
_SHOWN: Final = "is shown, and decides nothing"
_FENCE: Final = "a fence: another value loses work, and opens nothing"
_GRANT: Final = "says what the provider granted; the provider decides by the sealed token"

#: The columns without a MAC or seal, each with the reason why no attack comes of it. A new column
#: that decides who may do what, where a secret goes, or whose identity it is, has no place here.
_HARMLESS: Final[dict[str, dict[str, str]]] = {
    "api_keys": {"last_used_at": _SHOWN},
    "attempts": {
        "version": _FENCE,
        "token_digest": "tells a retry from a first try; the answer itself is sealed for its row",
        "tries": _SHOWN,
        "started_at": _SHOWN,
    },
    "boots": dict.fromkeys(("ready_at", "stopped_at"), "a forged stop breaks, and opens nothing"),
    "connections": {
        **dict.fromkeys(("scope", "missing_scope", "token_type"), _GRANT),
        **dict.fromkeys(("expires_at", "lifetime_seconds", "grant_expires_at"), _GRANT),
        **dict.fromkeys(("status", "reason", "failures", "refused_since", "created_at"), _SHOWN),
        **dict.fromkeys(("renew_at", "warn_at"), _SCHEDULE),
        **dict.fromkeys(("lease_until", "version", "updated_at"), _FENCE),
    },
    "crons": {"next_at": _SCHEDULE, "last_at": _SHOWN},
    "device_authorizations": {
        "status": "one that has ended has no code, nor its MAC, to be polled with",
        "interval_seconds": _SCHEDULE,
        "next_poll_at": _SCHEDULE,
        "lease_until": _FENCE,
        "version": _FENCE,
    },
    "derived_tokens": {
        **dict.fromkeys(("scope", "token_type", "expires_at"), _GRANT),
        **dict.fromkeys(("renew_at", "retry_at"), _SCHEDULE),
        **dict.fromkeys(("owner", "lease_until", "updated_at"), _FENCE),
        "failure": _SHOWN,
    },
    "events": {"deliver_at": _SCHEDULE, "attempts": _SCHEDULE},
    "provider_health": dict.fromkeys(
        (
            *("state", "epoch", "failures", "failing_connection", "pauses", "since"),
            *("paused_until", "kind", "reason", "next_request_at"),
        ),
        _SCHEDULE,
    ),
    "sealing_keys": {"first_used_at": "says which of our keys seals; no other key opens anything"},
    "server": dict.fromkeys(
        ("generation", "stopped_generation", "booted_at"), "a forged stop breaks, and opens nothing"
    ),
    "user_oauth_connection": {
        "discovered_at": _SCHEDULE,
        "created_at": _SHOWN,
        "updated_at": _FENCE,
    },
    "webhook_deliveries": dict.fromkeys(
        ("status", "attempts", "answer_status", "answer", "answered_at"), _SHOWN
    ),
    "verification": {
        "status": "a sign-in that has ended has no secrets, nor their MAC, to begin anew with"
    },
}


@pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.__name__)
def test_each_column_is_authenticated_sealed_or_known_to_be_harmless(table: type[Table]) -> None:
    macs = [field for field in table._meta.sorted_fields if isinstance(field, MacField)]
    covered = {name for mac in macs for name in mac.covered}
    open_to_change = {
        field.name
        for field in table._meta.sorted_fields
        if not isinstance(field, SealedField | MacField)
        and not field.primary_key
        and field.name not in covered
    }

    assert open_to_change == set(_HARMLESS.get(table._meta.table_name, {}))
    assert bool(macs) == issubclass(table, Authenticated)


@pytest.mark.usefixtures("held")
def test_a_mac_is_for_one_row_one_column_and_one_value() -> None:
    mac = TAB_CONNECTIONS.mac
    columns: dict[str, Any] = {
        "id": "a",
        "app": "shop",
        "provider": "house",
        "subject": "u",
        "provider_subject": "ab",
        "profile": {"subject": "ab"},
        "variables": None,
    }
    # Given a row and all that it could be confused with
    others: list[dict[str, Any]] = [
        {"id": "b"},
        {"subject": "ua", "provider_subject": "b"},
        {"subject": "ab", "provider_subject": "u"},
        {"subject": None},
        {"profile": "{'subject': 'ab'}"},
    ]
    # Then no two have the same MAC
    signed = [mac.sign({**columns, **other}) for other in [{}, *others]]
    assert len(set(signed)) == len(signed)


@pytest.mark.usefixtures("held")
def test_an_update_that_forgets_the_mac_is_refused_in_our_own_code() -> None:
    with pytest.raises(TypeError, match="subject"):
        TAB_CONNECTIONS.update(subject="user-2")
    TAB_CONNECTIONS.update(status="active")


def test_a_change_of_secret_key_renews_macs_that_hold_and_no_others(held: Settings) -> None:
    # Given a connection, and one that another writer has changed
    good, bad = stored_connection("account-1"), stored_connection("account-2")
    update = "UPDATE connections SET subject = 'victim' WHERE id = {}".format
    the_database.execute_sql(update(the_database.param), (bad.id,))
    # When SECRET_KEY is changed and all is sealed anew
    new = rotated(held)
    with reopened(new), hold_connection():
        assert TAB_CONNECTIONS.find(good.id) is not None
        broken = [name for batch in reseal_all(10) for name in batch.broken]
        assert broken == [f"connections {bad.id}"]
    # Then the former key can go
    with reopened(completed(new)), hold_connection():
        assert TAB_CONNECTIONS.find(good.id) is not None
        assert TAB_CONNECTIONS.find(bad.id) is None
        default = TAB_APPS.find("default")
        assert default is not None
        assert default.is_authentic


@pytest.mark.usefixtures("empty")
def test_no_row_is_signed_by_a_migration_that_is_made_to_run_again() -> None:
    migrate(NOW)
    with hold_connection():
        the_database.execute_sql("UPDATE apps SET settings = '{}', mac = NULL")
        the_database.execute_sql("DELETE FROM schema_migration WHERE name LIKE '0019%%'")

    with pytest.raises(DatabaseUnreachable, match="mac"):
        migrate(NOW)

    with hold_connection():
        default = TAB_APPS.find("default")
    assert default is not None
    assert not default.is_authentic
