"""Disconnecting: the token is revoked at its provider, then the connection is erased."""

from __future__ import annotations

import logging
from typing import Any

from actors.audit import EventKind, record
from actors.connections import find_connection
from actors.discovery import discovered_provider
from actors.providers.revocation import revoke_token
from catfeeder.errors import CatFeederError
from catfeeder.jobs import utc_now
from models.connections import TAB_CONNECTIONS
from models.database import transaction

_LOG = logging.getLogger(__name__)


def revoke_connection(connection_id: str) -> dict[str, Any]:
    """Perform the message of the same name; return `{"id", "revoked_at_provider"}`.

    The connection is erased whatever its provider says: the user asked to be forgotten here, and
    `revoked_at_provider` tells whether the provider has forgotten too.

    Raises:
        ConnectionUnknown: There is no such connection.
    """
    row = find_connection(connection_id)
    is_revoked = _revoke(row)
    with transaction():
        TAB_CONNECTIONS.erase(connection_id)
        record(EventKind.REVOKED, now=utc_now(), connection=row, revoked_at_provider=is_revoked)
    return {"id": connection_id, "revoked_at_provider": is_revoked}


def _revoke(row: TAB_CONNECTIONS) -> bool:
    """Revoke the refresh token, which ends the whole grant, or else the access token."""
    try:
        refresh_token = TAB_CONNECTIONS.refresh_token.open(row)
        token = refresh_token or TAB_CONNECTIONS.access_token.open(row)
        hint = "refresh_token" if refresh_token else "access_token"
        provider = discovered_provider(row.provider, utc_now())
        return token is not None and revoke_token(provider, token, hint)
    except CatFeederError as error:
        _LOG.warning("Connection %s was not revoked at its provider: %s", row.id, error.detail)
        return False
