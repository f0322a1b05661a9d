"""Identity of a connection that was imported without its account's name: stored once known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from models.db.database import transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.grants import Grant, GrantEnd
from models.oauth.imports.bulk import UNIDENTIFIED
from models.oauth.imports.grants import TAB_IMPORTED_GRANTS
from models.oauth.upserts import Owner, build_account_key, find_account, update_account


def is_identified(row: TAB_CONNECTIONS) -> bool:
    """Return whether it is known whose account a connection is."""
    return bool(row.provider_subject != f"{UNIDENTIFIED}{row.id}")


def store_identity(
    row: TAB_CONNECTIONS, profile: Mapping[str, Any], now: datetime
) -> TAB_CONNECTIONS:
    """Store the account of a connection, and return the one connection that the account now has.

    That is another one where the account has been connected before: it gets the grant, as from a
    sign-in, and `row` is erased.
    """
    with transaction():
        owner = Owner(row.app, row.provider, row.subject)
        key = build_account_key(owner, profile["subject"], row.variables) or row.provider_subject
        account = find_account(owner, key)
        if account is None or account.id == row.id:
            changes = row.sign_changes(provider_subject=key, profile=profile)
            TAB_CONNECTIONS.update(changes).where(TAB_CONNECTIONS.id == row.id).execute()
            return TAB_CONNECTIONS.get_by_id(row.id)
        update_account(account, owner, profile, _read_grant(row), now)
        TAB_IMPORTED_GRANTS.repoint(row.id, account.id)
        TAB_CONNECTIONS.erase(row.id)
        return TAB_CONNECTIONS.get_by_id(account.id)


def store_profile(row: TAB_CONNECTIONS, profile: Mapping[str, Any]) -> None:
    """Store a newer profile of the account of a connection."""
    changes = row.sign_changes(profile=profile)
    TAB_CONNECTIONS.update(changes).where(TAB_CONNECTIONS.id == row.id).execute()


def _read_grant(row: TAB_CONNECTIONS) -> Grant:
    return Grant(
        access_token=TAB_CONNECTIONS.access_token.open(row),
        refresh_token=TAB_CONNECTIONS.refresh_token.open(row),
        token_type=row.token_type,
        scope=row.scope,
        expires_at=row.expires_at,
        renew_at=row.renew_at,
        missing_scope=row.missing_scope,
        end=GrantEnd(row.grant_expires_at, row.warn_at),
        lifetime_seconds=row.lifetime_seconds,
        needs_refresh_token=False,
        metadata=row.metadata,
        sign_in=row.sign_in,
    )
