"""Creation of a connection under a lease: pending until its first token is stored."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import peewee

from catfeeder.sealing import Secret
from models.db.database import transaction
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.grants import Grant
from models.oauth.upserts import Owner, build_account_key
from models.renewal.leases import Lease

_T: Final = TAB_CONNECTIONS


def ensure_pending(
    owner: Owner,
    profile: Mapping[str, Any],
    credentials: Secret,
    now: datetime,
    variables: Mapping[str, str] | None = None,
) -> TAB_CONNECTIONS:
    """Return the connection that an owner has of an account, or a new one that is pending.

    With other `variables` it is another account.
    """
    account = build_account_key(owner, profile["subject"], variables)
    columns = {"provider_subject": account, "profile": profile, "variables": variables}
    try:
        with transaction():
            return _find(owner, account) or _insert(owner, columns, credentials, now)
    except peewee.IntegrityError:
        # Another request has inserted it at this moment.
        with transaction():
            return _find(owner, account) or _insert(owner, columns, credentials, now)


def _find(owner: Owner, account: str | None) -> TAB_CONNECTIONS | None:
    row: TAB_CONNECTIONS | None = _T.get_or_none(
        _T.app == owner.app,
        _T.provider == owner.provider,
        _T.provider_subject == account,
        _T.subject == owner.subject,
    )
    if row is not None and not row.is_authentic:
        _T.erase(row.id)
        return None
    return row


def _insert(
    owner: Owner, columns: Mapping[str, Any], credentials: Secret, now: datetime
) -> TAB_CONNECTIONS:
    connection_id = str(uuid.uuid4())
    row: TAB_CONNECTIONS = _T.create(
        id=connection_id,
        **owner._asdict(),
        **columns,
        scope="",
        token_type="",
        status=ConnectionStatus.PENDING,
        credentials=_T.credentials.seal(connection_id, credentials),
        version=0,
        failures=0,
        created_at=now,
        updated_at=now,
    )
    found: TAB_CONNECTIONS = _T.get_by_id(row.id)
    return found


def complete(lease: Lease, grant: Grant, now: datetime) -> bool:
    """Store the token of a connection that is created; False if it has got another one since."""
    columns = _T.build_grant_columns(lease.connection_id, lease.version, grant, now)
    is_unchanged = (_T.id == lease.connection_id) & (_T.version == lease.version)
    active = {"status": ConnectionStatus.ACTIVE, "reason": None, "failures": 0, "lease_until": None}
    return bool(_T.update(**active, **columns).where(is_unchanged).execute())
