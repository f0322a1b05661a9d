"""Revocation (RFC 7009): a grant is revoked at its provider, then its connection is erased."""

from __future__ import annotations

import logging

from actors.audit import EventKind, record
from actors.connections.reading import find_connection
from actors.errors import AuthError
from actors.providers.config.discovery import resolve_provider
from actors.providers.protocol.revocation import revoke_grant
from catfeeder.clock import utc_now
from catfeeder.errors import SealBroken
from catfeeder.results import Revocation
from models.db.database import transaction
from models.oauth.connections import TAB_CONNECTIONS

_LOG = logging.getLogger(__name__)


def revoke_connection(connection_id: str) -> Revocation:
    """Perform the message of the same name.

    The connection is erased whatever its provider answers: the user asked to be forgotten here.
    `revoked_at_provider` says whether the provider has revoked the grant too.

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
    try:
        refresh_token = TAB_CONNECTIONS.refresh_token.open(row)
        access_token = TAB_CONNECTIONS.access_token.open(row)
        provider = resolve_provider(row.provider, utc_now())
        return revoke_grant(provider, access_token, refresh_token)
    except (AuthError, SealBroken) as error:
        extra = {"connection_id": row.id, "provider": row.provider}
        text = "Connection %s was not revoked at its provider: %s"
        _LOG.warning(text, row.id, error.detail, extra=extra)
        return False
