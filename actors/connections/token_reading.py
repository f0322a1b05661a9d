"""Stored token as an app gets it: whether it can be used, and whether it is to be renewed first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from actors.connections.credentials.members import Credentials, open_credentials
from actors.connections.errors import (
    AccessDenied,
    AuthorizationPending,
    ConnectionBusy,
    ExpiredToken,
    ReauthorizationRequired,
    RenewalFailing,
)
from actors.connections.reading import find_connection
from actors.cursors import is_id
from actors.errors import AuthError
from actors.providers.config.placements import find_placement
from actors.providers.protocol.tokens.types import read_token_type
from catfeeder import results
from catfeeder.clock import rfc3339
from catfeeder.errors import CatFeederError
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.derived_tokens import TAB_DERIVED_TOKENS
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS, DeviceStatus
from models.oauth.token_rows import find_token_rows

_HAS_ENDED: Final = (
    "The token has run out, and the provider gave nothing to renew it with: the user signs in "
    "again for another one."
)
#: What is in one of these states is renewed only where that is asked for.
_NEVER_DUE: Final = (
    ConnectionStatus.ENDED,
    ConnectionStatus.REAUTHORIZATION_REQUIRED,
    ConnectionStatus.REVOKED,
)
#: Why a device has got no token (RFC 8628 section 3.5).
_REFUSALS: Final[Mapping[str, type[AuthError]]] = {
    DeviceStatus.ACCESS_DENIED: AccessDenied,
    DeviceStatus.EXPIRED_TOKEN: ExpiredToken,
}


@dataclass(frozen=True, slots=True)
class TokenView:
    """A connection's token as an app gets it, and whether it is to be renewed or can be used.

    `version` is that of its grant. `retry_at` is when a postponed renewal is due.
    """

    json: results.StoredToken
    app: str
    provider: str
    version: int
    is_stale: bool
    is_usable: bool
    retry_at: datetime | None

    def check_not_postponed(self, now: datetime) -> None:
        """Check that the token can be used, or that it is time to renew it.

        Raises:
            RenewalFailing: The token has expired, and its renewal is postponed after a failure.
        """
        if not self.is_usable and self.retry_at is not None:
            raise RenewalFailing(seconds=math.ceil((self.retry_at - now).total_seconds()))


def read_token(connection_id: str, now: datetime) -> TokenView:
    """Return a connection's token.

    `is_stale` says that it is to be renewed now, `is_usable` that it has not expired. An expired
    token whose renewal is postponed is neither: readers do not make the provider be asked earlier.

    Raises:
        ConnectionUnknown: There is no such connection.
        ReauthorizationRequired: There is no token any more, nor a way to another one.
        AuthorizationPending, AccessDenied, ExpiredToken: It waits for a device, or got none.
    """
    return _view(find_connection(connection_id), now)


def read_tokens(ids: Sequence[str], now: datetime) -> dict[str, TokenView]:
    """Return the tokens of connections of any app by their ids, in one look at the database.

    What cannot be told of by its row alone is left out: `read_token` says what is the matter.
    """
    with hold_connection():
        rows = find_token_rows(list(filter(is_id, ids)))
    views = {}
    for connection_id, row in rows.items():
        with suppress(CatFeederError):
            views[connection_id] = _view(row, now)
    return views


def _view(row: TAB_CONNECTIONS, now: datetime) -> TokenView:
    """Return the token of a connection; raise as `read_token`."""
    credentials = open_credentials(row)
    if credentials is not None and credentials.is_static:
        return _view_static(row, credentials)
    token = TAB_CONNECTIONS.access_token.open(row)
    is_usable = token is not None and (row.expires_at is None or row.expires_at > now)
    is_dead = row.status in _NEVER_DUE
    check_device(row, now)
    if row.status == ConnectionStatus.PENDING:
        raise ConnectionBusy
    can_renew = row.refresh_token is not None or credentials is not None
    is_awaited = token is None and not is_dead and can_renew
    if not is_awaited and (token is None or (is_dead and not is_usable)):
        has_ended = row.status == ConnectionStatus.ENDED
        raise ReauthorizationRequired(_HAS_ENDED if has_ended else None)
    retry_at = _find_retry(row, now, is_awaited=is_awaited)
    is_due = not is_dead and retry_at is None and (row.renew_at is not None or not is_usable)
    is_failing = row.status == ConnectionStatus.RENEWAL_FAILING
    token = token or Secret("")
    answer = describe_token(row, row, token, variables=row.variables, is_failing=is_failing)
    return TokenView(answer, row.app, row.provider, row.version, is_due, is_usable, retry_at)


def _find_retry(row: TAB_CONNECTIONS, now: datetime, *, is_awaited: bool) -> datetime | None:
    """Return until when a renewal is postponed, or None if it is not."""
    if is_awaited and row.status == ConnectionStatus.ACTIVE:
        # It was moved in without a token that works, and was not renewed yet: a reader need not
        # wait for the plan.
        return None
    return row.renew_at if row.renew_at is not None and row.renew_at > now else None


def check_device(row: TAB_CONNECTIONS, now: datetime) -> None:
    """Raise if a connection without a token waits for a device, or has waited for one in vain.

    Raises:
        AuthorizationPending, AccessDenied, ExpiredToken, ReauthorizationRequired: Either.
    """
    if row.version > 0:
        return
    with hold_connection():
        device = TAB_DEVICE_AUTHORIZATIONS.find(row.id)
    if device is None:
        return
    if device.next_poll_at is not None:
        left = (device.next_poll_at - now).total_seconds()
        raise AuthorizationPending(seconds=max(math.ceil(left), 1))
    raise _REFUSALS.get(device.status, ReauthorizationRequired)(row.reason)


def _view_static(row: TAB_CONNECTIONS, credentials: Credentials) -> TokenView:
    """Return what requests carry in place of a token: it never runs out, and nothing renews it."""
    placement = find_placement(row.provider)
    headers, query = placement.place_members(credentials.kind, credentials.members, row.variables)
    answer: results.StoredToken = {
        "access_token": None,
        "token_type": credentials.kind,
        "expires_at": None,
        "scope": row.scope,
        "headers": headers,
        "query_parameters": query,
        "metadata": row.metadata or {},
        "renewal_failing": False,
    }
    return TokenView(answer, row.app, row.provider, row.version, False, True, None)


def describe_token(
    row: TAB_CONNECTIONS | TAB_DERIVED_TOKENS,
    connection: TAB_CONNECTIONS,
    token: Secret,
    *,
    variables: Mapping[str, str] | None = None,
    is_failing: bool,
) -> results.StoredToken:
    """Return a token of a connection as an app gets it: its own, or one that is derived from it."""
    placement = find_placement(connection.provider)
    headers, query = placement.place_token(token.reveal(), row.token_type, variables)
    return {
        "access_token": token.reveal(),
        "token_type": read_token_type(row.token_type),
        "expires_at": rfc3339(row.expires_at),
        "scope": row.scope,
        "headers": headers,
        "query_parameters": query,
        "metadata": connection.metadata or {},
        "renewal_failing": is_failing,
    }
