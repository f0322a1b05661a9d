"""Rows that the tables' tests begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from catfeeder.sealing import Secret
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.grants import Grant, GrantEnd
from models.oauth.upserts import Owner, store_connection
from models.renewal.grouped_writes import defer_finish
from models.renewal.leases import Lease
from tests.models.times import NOW


def rewrite(table: Any, **columns: Any) -> None:
    """Change columns of all rows of a table as the service would, with their MACs."""
    for row in list(table.select()):
        is_row = table._meta.primary_key == row.get_id()
        table.update(row.sign_changes(**columns)).where(is_row).execute()


def grant(
    access_token: str = "access",
    refresh_token: str | None = "refresh",
    *,
    expires_at: datetime | None = None,
    renew_at: datetime | None = None,
    end: GrantEnd | None = None,
) -> Grant:
    """What a token endpoint grants."""
    return Grant(
        access_token=Secret(access_token),
        refresh_token=Secret(refresh_token) if refresh_token else None,
        token_type="Bearer",
        scope="openid",
        expires_at=expires_at,
        renew_at=renew_at,
        end=end,
    )


def stored_connection(
    provider_subject: str = "account-1",
    *,
    provider: str = "google",
    subject: str = "",
    profile: dict[str, Any] | None = None,
    grant: Grant = grant(),  # noqa: B008
    now: datetime = NOW,
    app: str = "default",
) -> TAB_CONNECTIONS:
    """A connection as a sign-in stores it."""
    return store_connection(
        Owner(app=app, provider=provider, subject=subject),
        profile=profile or {"subject": provider_subject},
        grant=grant,
        now=now,
    )


def finish_renewal(
    lease: Lease, grant: Grant, now: datetime, events: Sequence[Mapping[str, Any]] = ()
) -> bool:
    """Store the grant of a renewal at once; False if the connection has another one since."""
    return defer_finish(lease, grant, now, events)()
