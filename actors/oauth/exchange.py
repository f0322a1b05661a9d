"""Finishing a sign-in: the code becomes tokens, a profile and a stored connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from actors.audit import EventKind, record
from actors.connections.forecasts import end_of_consent
from actors.connections.grants import granted
from actors.connections.reading import describe_connection
from actors.errors import AuthError, IdTokenInvalid
from actors.oauth.errors import IssuerMismatch, StateUnknown, StateUsed
from actors.oauth.pending import check_waiting, find_sign_in
from actors.providers.config.discovery import refresh_if_stale, resolve_provider
from actors.providers.config.lookup import is_issuer_of_another, is_provider_name
from actors.providers.protocol.id_tokens import verify_id_token
from actors.providers.protocol.issuers import is_issuer_of_answer
from actors.providers.protocol.profiles import Profile
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import apple
from actors.providers.protocol.token_endpoint import (
    TokenResponse,
    extend_facebook_token,
    redeem_code,
)
from actors.providers.protocol.user_info import fetch_profile
from catfeeder.clock import utc_now
from catfeeder.errors import SealBroken
from catfeeder.sealing import Secret
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.sign_ins import TAB_VERIFICATION, StateStatus


@dataclass(frozen=True, slots=True)
class FinishedSignIn:
    """What a sign-in yields: the stored connection, and the tokens as they were granted."""

    connection: TAB_CONNECTIONS
    tokens: TokenResponse


def exchange_code(
    provider: str, code: Secret, state: Secret, iss: str | None = None, user: Secret | None = None
) -> dict[str, Any]:
    """Perform the message of the same name; return the connection, without its tokens.

    `user` is what Apple tells of the user beside the code, as it came.
    """
    now = utc_now()
    try:
        finished = finish_sign_in(provider, code, state, iss, now, user=user)
        return describe_connection(finished.connection)
    except (AuthError, SealBroken) as error:
        # A name that is none could be anything, even what no database takes.
        named = provider if is_provider_name(provider) else None
        with hold_connection():
            record(EventKind.SIGN_IN_REFUSED, now=now, provider=named, reason=error.code)
        raise


def finish_sign_in(
    provider: str,
    code: Secret,
    state: Secret,
    iss: str | None,
    now: datetime,
    *,
    user: Secret | None = None,
) -> FinishedSignIn:
    """Exchange a code once, check what comes back, and store the connection.

    Args:
        provider: The name of the provider that the answer claims to be from.
        code: The authorization code.
        state: The state that came with it.
        iss: The issuer that the answer names (RFC 9207), if any.
        now: The time in UTC.
        user: What Apple tells of the user beside the code, if anything.

    Raises:
        StateUnknown, StateExpired, StateUsed, OutcomeUnknown: The state gives no right to it.
        IssuerMismatch: The answer is from another issuer.
        IdTokenInvalid: The id_token does not hold.
        CodeInvalid: The code is none.
        ProviderRefused, ProviderUnreachable, ProviderMisbehaved: The provider's part failed.
    """
    pending = _pending(provider, state, now)
    refresh_if_stale(provider, now)
    found = resolve_provider(provider, now)
    _check_issuer(found, iss)
    _claim(state, now)
    if user is not None and found.told_once:
        _remember_told(state, user)
    try:
        finished = _redeem(found, pending, code, user, now)
    except (AuthError, SealBroken):
        _end(state, StateStatus.FAILED)
        raise
    _end(state, StateStatus.DONE)
    return finished


def _pending(provider: str, state: Secret, now: datetime) -> TAB_VERIFICATION:
    sign_in = find_sign_in(state)
    if sign_in.provider != provider:
        raise StateUnknown
    check_waiting(sign_in, now)
    return sign_in


def _check_issuer(provider: Provider, iss: str | None) -> None:
    """Stop a mix-up of providers (RFC 9207 section 2.4).

    A provider whose issuer nobody has told us may name one all the same; it is held against those
    of the others.
    """
    if iss is None:
        is_well = not provider.authorization_response_iss_parameter_supported
    elif provider.issuer:
        is_well = is_issuer_of_answer(provider, iss)
    else:
        is_well = not is_issuer_of_another(provider.name, iss)
    if not is_well:
        raise IssuerMismatch


def _claim(state: Secret, now: datetime) -> None:
    """Take the right to post the code; it is never posted twice, not even after a crash."""
    with hold_connection():
        if not TAB_VERIFICATION.claim(state, now):
            raise StateUsed


def _remember_told(state: Secret, user: Secret) -> None:
    """Keep what comes with the first consent alone: whatever fails now, it will not come again."""
    with hold_connection():
        TAB_VERIFICATION.store_user_data(state, user)


def _end(state: Secret, status: StateStatus) -> None:
    with hold_connection():
        TAB_VERIFICATION.end(state, status)


def _redeem(
    provider: Provider,
    pending: TAB_VERIFICATION,
    code: Secret,
    user: Secret | None,
    now: datetime,
) -> FinishedSignIn:
    verifier = TAB_VERIFICATION.code_verifier.open(pending)
    tokens = redeem_code(provider, code, pending.redirect_uri, verifier)
    profile = _identify(provider, tokens, pending, now)
    told = user or TAB_VERIFICATION.told_user.open(pending)
    if profile["name"] is None and told is not None and "name" in provider.told_once:
        profile["name"] = apple.name_of(told.reveal())
    if provider.renewal == "fb_exchange_token":
        tokens = extend_facebook_token(provider, tokens.access_token)
    second = tokens.second
    second_profile = _identify(provider, second, pending, now) if second else {}
    with transaction():
        connection = _store(provider, tokens, pending, profile, now)
        if second is not None:
            _store(provider, second, pending, second_profile, now)
    return FinishedSignIn(connection, tokens)


def _store(
    provider: Provider,
    tokens: TokenResponse,
    pending: TAB_VERIFICATION,
    profile: Profile,
    now: datetime,
) -> TAB_CONNECTIONS:
    asked_scope = pending.scope
    if tokens.account is not None and tokens.account["token_of"] == "user":
        asked_scope = provider.authorization_parameters.get("user_scope", "").replace(",", " ")
    end = end_of_consent(provider, tokens, now)
    grant = granted(provider, tokens, profile["subject"], asked_scope, now, end=end)
    connection = TAB_CONNECTIONS.store(
        provider=provider.name,
        subject=pending.subject,
        profile=profile,
        grant=grant,
        now=now,
        told_once=provider.told_once,
    )
    record(EventKind.EXCHANGED, now=now, connection=connection)
    if grant.missing_scope:
        missing = grant.missing_scope.split()
        record(EventKind.SCOPE_MISSING, now=now, connection=connection, scopes=missing)
    return connection


def _identify(
    provider: Provider, tokens: TokenResponse, pending: TAB_VERIFICATION, now: datetime
) -> Profile:
    claims: Mapping[str, Any] | None = tokens.account
    if provider.yields_id_token(pending.scope.split()):
        if tokens.id_token is None:
            raise IdTokenInvalid("The provider's answer holds no id_token.")
        nonce = TAB_VERIFICATION.nonce.open(pending)
        claims = verify_id_token(provider, tokens.id_token, nonce, now)
    return fetch_profile(provider, tokens.access_token, claims)
