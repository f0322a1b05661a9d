"""Identity of a renewal (OpenID Connect Core 12.2): new tokens must be those of the same user."""

from __future__ import annotations

from datetime import datetime

from actors.errors import AuthError, IdTokenInvalid
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.identity.id_tokens import check_renewed_id_token
from actors.providers.identity.profiles import find_subject, subject_text
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.tokens.answers import TokenResponse
from actors.renewal.outcomes.endings import DEAD_STATUSES
from catfeeder.sealing import Secret
from models.db.database import transaction
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.journal import TAB_ATTEMPTS
from models.renewal.leases import Lease, keep_refresh_token, postpone_renewal, release


class IdentityRefused(AuthError):
    """Raised for tokens of a renewal that are another user's, issuer's or client's."""

    message = "The renewed tokens are not those of the connection's user; they are not used."

    permanent = False

    def __init__(self, detail: str, refresh_token: Secret | None) -> None:
        super().__init__(f"{detail} The renewed tokens are not used.")
        self.refresh_token = refresh_token


def check_identity(provider: Provider, tokens: TokenResponse, row: TAB_CONNECTIONS) -> None:
    """Make sure that renewed tokens are of the connection's user, as far as their answer says.

    Connections whose sign-in had no id_token, and whose tokens' answers name no user, have nothing
    to compare.

    Raises:
        IdentityRefused: `iss`, `aud` or `sub` of the id_token, or the user that the answer names,
            is another than that of the sign-in.
    """
    _check_account(provider, tokens, row)
    subject = subject_text(row.profile.get("raw", {}).get("sub"))
    if tokens.id_token is None or provider.issuer is None or subject is None:
        return
    try:
        check_renewed_id_token(provider, tokens.id_token, subject)
    except IdTokenInvalid as error:
        raise IdentityRefused(error.detail, tokens.refresh_token) from None


def _check_account(provider: Provider, tokens: TokenResponse, row: TAB_CONNECTIONS) -> None:
    """Compare the user whom the token answer itself names; many a renewal names none."""
    named = None if tokens.account is None else find_subject(provider, tokens.account)
    if named is not None and row.profile.get("subject") not in (None, named):
        detail = "The answer names another user than that of the sign-in."
        raise IdentityRefused(detail, tokens.refresh_token)


def record_refused_identity(
    lease: Lease, row: TAB_CONNECTIONS, error: IdentityRefused, retry_at: datetime, now: datetime
) -> None:
    """Keep the token in hand and the grant, with the refresh token that the answer brought.

    The answer's access token may open another user's data, so no app gets it. The event is recorded
    once, as the connection's state changes once; one that waits for its user goes on to do so.
    """
    with transaction():
        if error.refresh_token is not None:
            keep_refresh_token(lease, error.refresh_token)
        if row.status in (*DEAD_STATUSES, ConnectionStatus.ENDED):
            if release(lease):
                TAB_ATTEMPTS.end(lease.connection_id, lease.version)
            return
        if not postpone_renewal(lease, error.detail, retry_at, now):
            return
        TAB_ATTEMPTS.end(lease.connection_id, lease.version)
        is_known = (row.status, row.reason) == (ConnectionStatus.RENEWAL_FAILING, error.detail)
        if not is_known:
            kind = EventKind.IDENTITY_REFUSED
            record(kind, now=now, connection=row, reason=error.code, detail=error.detail)
