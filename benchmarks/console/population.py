"""Database for the console's figures: connections and events in number, of all kinds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import peewee

from actors.events.kinds import EventKind
from catfeeder.queue.requester import DEFAULT_APP
from catfeeder.sealing import Secret
from models.db.database import database, transaction
from models.events import EVENT_FIELDS, TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION

PROVIDERS: Final = ("google", "github", "microsoft", "slack", "linear")
APPS: Final = (DEFAULT_APP, "web-shop", "helpdesk")
_BATCH: Final = 20_000
_T: Final = TAB_CONNECTIONS
#: In a thousand connections: how many are in a state, the rest being active.
_STATES: Final = (
    (ConnectionStatus.RENEWAL_FAILING, 10),
    (ConnectionStatus.REAUTHORIZATION_REQUIRED, 30),
    (ConnectionStatus.ENDED, 150),
)
_HOURS: Final = 24
#: Nothing falls due while pages are measured.
_SOONEST: Final = timedelta(minutes=30)


def configure_providers(now: datetime) -> None:
    """Store the providers that the connections are with."""
    endpoint = "https://provider.example/token"
    metadata = {"authorization_endpoint": endpoint, "token_endpoint": endpoint}
    for name in PROVIDERS:
        TAB_USER_OAUTH_CONNECTION.put(
            name,
            preset=None,
            client_id="client-of-figures",
            client_secret=Secret("a-secret-of-figures"),
            metadata={**metadata, "scopes": ["email"]},
            now=now,
        )


def name_connection(number: int) -> str:
    """Return the id of a connection: numbers that follow one another lie far apart in an index."""
    return f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{number:012x}"


def fill_connections(count: int, now: datetime) -> None:
    """Add so many connections, made one after the other over the last year."""
    # Their tokens are never opened here.
    sealed = _T.access_token.seal("any", Secret("access" * 10))
    rows = (_build_connection(number, count, sealed, now) for number in range(count))
    _copy(tuple(_T._meta.sorted_fields), rows)


def fill_events(count: int, connections: int, now: datetime) -> None:
    """Add so many events of the connections, nearly all of them renewals."""
    rows = (_build_event(number, count, connections, now) for number in range(count))
    _copy(EVENT_FIELDS, rows)
    database.execute_sql("ANALYZE")


def _build_connection(
    number: int, count: int, sealed: bytes | None, now: datetime
) -> dict[str, Any]:
    status = _find_status(number)
    is_due = status in (ConnectionStatus.ACTIVE, ConnectionStatus.RENEWAL_FAILING)
    renew_at = now + _SOONEST + timedelta(hours=_HOURS) * (number * 7919 % 10_007) / 10_007
    created_at = now - timedelta(days=365) * (1 - number / count)
    values: dict[str, Any] = dict.fromkeys(field.name for field in _T._meta.sorted_fields)
    values |= {
        "id": name_connection(number),
        "app": APPS[number % 100 % len(APPS)] if number % 10 == 0 else DEFAULT_APP,
        "provider": PROVIDERS[number * 31 % 97 % len(PROVIDERS)],
        "subject": f"user-{number}",
        "provider_subject": f"account-{number}",
        "profile": _build_profile(number),
        "scope": "email",
        "missing_scope": "",
        "status": status,
        "reason": None if status == ConnectionStatus.ACTIVE else "transient: no answer came.",
        "token_type": "Bearer",
        "access_token": sealed,
        "refresh_token": sealed,
        "expires_at": renew_at + timedelta(minutes=12),
        "renew_at": renew_at if is_due else None,
        "version": 1 + number % 50,
        "failures": 3 if status == ConnectionStatus.RENEWAL_FAILING else 0,
        "created_at": created_at,
        "updated_at": created_at,
    }
    return {**values, **{mac.name: mac.sign(values) for mac in _T.mac_fields()}}


def _build_profile(number: int) -> dict[str, Any]:
    return {
        "provider": "any",
        "subject": f"account-{number}",
        "email": f"ann-{number}@example.com",
        "email_verified": True,
        "name": f"Ann Example {number}",
        "picture": None,
        "source": "userinfo",
        "raw": {"sub": f"account-{number}"},
    }


def _find_status(number: int) -> ConnectionStatus:
    place = number * 7919 % 1000
    for status, share in _STATES:
        if place < share:
            return status
        place -= share
    return ConnectionStatus.ACTIVE


def _build_event(number: int, count: int, connections: int, now: datetime) -> dict[str, Any]:
    connection = number * 104_729 % connections
    kind = EventKind.RENEWAL_FAILED if number % 1000 == 0 else EventKind.RENEWED
    return TAB_EVENTS.build_row(
        kind,
        app=DEFAULT_APP,
        key_id=None,
        provider=PROVIDERS[connection * 31 % 97 % len(PROVIDERS)],
        connection_id=name_connection(connection),
        subject=f"user-{connection}",
        detail=None,
        is_delivered=False,
        now=now - timedelta(days=1) * (1 - number / count),
    )


def _copy(fields: tuple[peewee.Field, ...], rows: Iterator[dict[str, Any]]) -> None:
    table = fields[0].model._meta.table_name
    names = ", ".join(field.column_name for field in fields)
    with transaction(), database.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([field.db_value(row[field.name]) for field in fields])
