"""Derivation of a token: the provider is asked once, by token exchange or by a refresh."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from actors.connections.credentials.members import open_credentials
from actors.connections.errors import ConnectionBusy, ConnectionUnknown, ReauthorizationRequired
from actors.connections.planning import plan_renewal
from actors.connections.reading import find_connection
from actors.derived_tokens.by_refresh import ask_by_refresh, check_is_part
from actors.derived_tokens.errors import TokenExchangeNotOffered, to_target_error
from actors.derived_tokens.reading import read_derived
from actors.derived_tokens.targets import build_key, read_target
from actors.errors import AuthError
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.config.breaker import check_not_paused
from actors.providers.config.discovery import resolve_provider
from actors.providers.errors import ProviderUnreachable
from actors.providers.protocol.filling import fill_connection
from actors.providers.protocol.provider import REFRESH_TOKEN, TOKEN_EXCHANGE, Provider
from actors.providers.protocol.tokens.answers import TokenResponse
from actors.providers.protocol.tokens.client_grants import adapt_provider
from actors.providers.protocol.tokens.exchanges import request_exchange
from actors.providers.protocol.tokens.targets import Target
from actors.renewal.limits import lease_end
from actors.renewal.renew import renew_connection
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, SealBroken
from config import current_settings
from models.db.database import transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.derived_tokens import TAB_DERIVED_TOKENS, Claim, DerivedGrant

#: A refusal answers all that ask again within this time, so that no loop asks the provider.
_RETRY_SECONDS: Final = 10
_MAX_RETRY_SECONDS: Final = 300
#: The subject token has to live for longer than the request takes.
_MARGIN: Final = timedelta(seconds=30)


def exchange_token(
    connection_id: str,
    scope: str | None = None,
    resource: Sequence[str] = (),
    audience: Sequence[str] = (),
) -> None:
    """Perform the message of the same name: store a connection's token for a target.

    Of requests for the same one at a time one asks the provider. The token is in no result: the
    process that asked for it reads it from its row.

    Raises:
        ConnectionUnknown, ReauthorizationRequired: There is no grant to derive it from.
        ConnectionBusy: Another process asks for it, or renews the connection.
        TokenExchangeNotOffered: The provider's `grant_types` have no way to it.
        InvalidTarget, InvalidScope: The provider serves no such target.
        ProviderPaused, ProviderRefused, ProviderMisbehaved, ProviderUnreachable: Its part failed.
    """
    now = utc_now()
    target = read_target(scope, resource, audience)
    row = find_connection(connection_id)
    if target is None or not (view := read_derived(row.id, target, now)).is_due:
        return
    provider = _adapt(resolve_provider(row.provider, now), row)
    _check_way(provider, row, target)
    if TOKEN_EXCHANGE in provider.grant_types:
        _renew_if_stale(row, now)
    key = build_key(row.id, target)
    until, seen = lease_end(now), view.updated_at
    asked = target.to_json()
    claimed = TAB_DERIVED_TOKENS.claim(key, row.id, asked, now, until=until, seen=seen)
    if claimed is None:
        raise ConnectionBusy
    claim, row = claimed
    try:
        tokens = _ask(provider, row, target, now)
    except (AuthError, SealBroken) as error:
        raise _record_failure(claim, row, target, to_target_error(error), utc_now()) from error
    _store(claim, row, target, tokens, now)


def _adapt(provider: Provider, row: TAB_CONNECTIONS) -> Provider:
    """Return the provider as this connection has it: its variables, or a client of its own."""
    credentials = open_credentials(row)
    if credentials is None:
        return fill_connection(provider, row.variables, row.metadata)
    if credentials.is_static:
        raise TokenExchangeNotOffered("An API key or a password is for whatever the API allows it.")
    return adapt_provider(provider, credentials.kind, credentials.members)


def _check_way(provider: Provider, row: TAB_CONNECTIONS, target: Target) -> None:
    if TOKEN_EXCHANGE in provider.grant_types:
        return
    if REFRESH_TOKEN not in provider.grant_types:
        raise TokenExchangeNotOffered
    if provider.renewal != "refresh_token" or row.refresh_token is None:
        raise TokenExchangeNotOffered("The connection has no refresh token to derive a token with.")
    if target.audiences:
        raise TokenExchangeNotOffered(
            "A refresh names no audience (RFC 8707): ask for a resource, or add "
            "urn:ietf:params:oauth:grant-type:token-exchange to the provider's grant_types."
        )
    check_is_part(provider, row, target)


def _renew_if_stale(row: TAB_CONNECTIONS, now: datetime) -> None:
    """Renew the token that is to be exchanged, unless it lives long enough for that."""
    is_alive = row.expires_at is None or row.expires_at > now + _MARGIN
    if row.access_token is None or not is_alive:
        renew_connection(row.id, row.version)


def _ask(provider: Provider, row: TAB_CONNECTIONS, target: Target, now: datetime) -> TokenResponse:
    if TOKEN_EXCHANGE not in provider.grant_types:
        return ask_by_refresh(provider, row, target, now)
    check_not_paused(row.provider, now)
    subject = TAB_CONNECTIONS.access_token.open(row)
    if subject is None:
        raise ReauthorizationRequired
    return request_exchange(provider, subject, target)


def _record_failure(
    claim: Claim, row: TAB_CONNECTIONS, target: Target, error: CatFeederError, now: datetime
) -> CatFeederError:
    """Store why the provider was asked in vain, for all that wait for the answer; return it."""
    seconds = _RETRY_SECONDS
    if isinstance(error, ProviderUnreachable):
        seconds = max(seconds, min(error.retry_after_seconds, _MAX_RETRY_SECONDS))
    # What says nothing of the target is no answer to it.
    is_answer = not isinstance(error, ConnectionBusy | ConnectionUnknown)
    failure: dict[str, Any] | None = None
    if is_answer:
        failure = {"code": error.code, "detail": error.detail, "permanent": error.permanent}
    retry_at = now + timedelta(seconds=seconds if is_answer else 0)
    with transaction():
        TAB_DERIVED_TOKENS.store_failure(claim, failure, retry_at, now)
        if is_answer:
            kind, asked = EventKind.TOKEN_EXCHANGE_REFUSED, target.to_json()
            record(kind, now=now, connection=row, reason=error.code, **asked)
    return error


def _store(
    claim: Claim, row: TAB_CONNECTIONS, target: Target, tokens: TokenResponse, now: datetime
) -> None:
    """Store a token, unless a sign-in or a disconnect has ended the grant that it is of."""
    expires_at = None if tokens.expires_in is None else now + timedelta(seconds=tokens.expires_in)
    assumed = timedelta(seconds=current_settings().oauth.assumed_lifetime_seconds)
    grant = DerivedGrant(
        access_token=tokens.access_token,
        token_type=tokens.token_type,
        # RFC 6749 section 5.1: a scope that is not stated is the one that was asked for.
        scope=tokens.scope or " ".join(target.scopes) or row.scope,
        expires_at=expires_at,
        renew_at=plan_renewal(expires_at or now + assumed, claim.key, now),
    )
    with transaction():
        if not TAB_DERIVED_TOKENS.store(claim, grant, utc_now()):
            raise ConnectionBusy("The connection's grant was replaced meanwhile; ask again.")
        record(EventKind.TOKEN_EXCHANGED, now=now, connection=row, **target.to_json())
