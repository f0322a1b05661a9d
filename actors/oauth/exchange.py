"""Code exchange (RFC 6749 section 4.1.3): a code becomes tokens, a profile and a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from actors.audit import EventKind, record
from actors.connections.forecasts import forecast_consent_end
from actors.connections.grants import build_grant
from actors.connections.reading import describe_connection
from actors.errors import AuthError, IdTokenInvalid
from actors.oauth.errors import IssuerMismatch, StateUnknown, StateUsed
from actors.oauth.pending import (
    check_pending,
    find_sign_in,
    pick_callback_metadata,
    undo_second_encoding,
)
from actors.providers.config.discovery import refresh_if_stale, resolve_provider
from actors.providers.config.lookup import is_issuer_of_another, is_provider_name
from actors.providers.http.answers import clean_sentence
from actors.providers.identity.id_tokens import verify_id_token
from actors.providers.identity.user_info import fetch_profile
from actors.providers.protocol.issuers import describe_issuers, is_issuer_of_answer
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import apple
from actors.providers.protocol.token_endpoint import (
    TokenResponse,
    extend_facebook_token,
    redeem_code,
)
from catfeeder.clock import utc_now
from catfeeder.errors import SealBroken
from catfeeder.queue.requester import is_visible
from catfeeder.results import Connection, Profile
from catfeeder.sealing import Secret
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.grants import merge_metadata
from models.oauth.providers import public_name
from models.oauth.sign_ins import TAB_VERIFICATION, StateStatus
from models.oauth.upserts import Owner, store_connection


@dataclass(frozen=True, slots=True)
class FinishedSignIn:
    """The stored connection, and the tokens as the provider granted them."""

    connection: TAB_CONNECTIONS
    tokens: TokenResponse


def exchange_code(
    provider: str,
    code: Secret,
    state: Secret,
    iss: str | None = None,
    user: Secret | None = None,
    *,
    parameters: Mapping[str, str] | None = None,
) -> Connection:
    """Perform `exchange_code`: return the connection, without its tokens.

    `user` is the form field of that name, which Apple sends beside the code. `iss` is the answer's
    issuer (RFC 9207).

    Raises:
        AuthError, SealBroken: As `finish_sign_in`; the refusal is in the audit trail.
    """
    now = utc_now()
    try:
        finished = finish_sign_in(provider, code, state, iss, now, user=user, parameters=parameters)
        return describe_connection(finished.connection)
    except (AuthError, SealBroken) as error:
        # A text that is no provider's name may be one that no database stores.
        named = provider if is_provider_name(provider) else None
        with hold_connection():
            kind, sentence = EventKind.SIGN_IN_REFUSED, clean_sentence(error.public_detail)
            record(kind, now=now, provider=named, reason=error.code, message=sentence)
        raise


def finish_sign_in(
    provider: str,
    code: Secret,
    state: Secret,
    iss: str | None,
    now: datetime,
    *,
    user: Secret | None = None,
    parameters: Mapping[str, str] | None = None,
) -> FinishedSignIn:
    """Exchange a code once, check what comes back, and store the connection.

    Args:
        provider: The name of the provider that the answer claims to be from.
        code: The authorization code.
        state: The state that came with it.
        iss: The issuer that the answer names (RFC 9207), if any.
        now: The time in UTC.
        user: What Apple sends about the user beside the code, if anything.
        parameters: The further parameters of the answer, of which the provider's list is kept.

    Raises:
        StateUnknown, StateExpired, StateUsed, OutcomeUnknown: The state has no pending sign-in.
        IssuerMismatch: The answer is from another issuer.
        IdTokenInvalid: The id_token is missing or not valid.
        CodeInvalid: The text cannot be a code.
        ProviderRefused, ProviderUnreachable, ProviderMisbehaved: The provider's part failed.
    """
    state, (code_text, iss) = undo_second_encoding(state, code.reveal(), iss)
    code = Secret(code_text or "")
    pending = _find_pending(provider, state, now)
    # The sign-in's own: it may be an app's, where the name may also be that of a shared one.
    provider = pending.provider
    refresh_if_stale(provider, now)
    found = resolve_provider(provider, now)
    _check_issuer(found, iss)
    _claim(state, now)
    if user is not None and found.told_once:
        _store_user_data(state, user)
    try:
        brought = pick_callback_metadata(found, pending, parameters or {})
        finished = _redeem(found, pending, code, user, now, brought=brought)
    except (AuthError, SealBroken):
        _end(state, StateStatus.FAILED)
        raise
    _end(state, StateStatus.DONE)
    return finished


def _find_pending(provider: str, state: Secret, now: datetime) -> TAB_VERIFICATION:
    sign_in = find_sign_in(state)
    if not is_visible(sign_in.app) or public_name(sign_in.provider) != public_name(provider):
        raise StateUnknown
    check_pending(sign_in, now)
    return sign_in


def _check_issuer(provider: Provider, iss: str | None) -> None:
    """Stop a mix-up of providers (RFC 9207 section 2.4).

    A provider without a configured issuer may name one all the same; it must not be another
    provider's.
    """
    if iss is None:
        is_valid = not provider.authorization_response_iss_parameter_supported
    elif provider.issuer:
        is_valid = is_issuer_of_answer(provider, iss)
    else:
        is_valid = not is_issuer_of_another(provider.name, iss)
    if not is_valid:
        raise IssuerMismatch(describe_issuers(provider.issuer, iss))


def _claim(state: Secret, now: datetime) -> None:
    """Take the right to post the code: it is never posted twice, not even after a crash."""
    with hold_connection():
        if not TAB_VERIFICATION.claim(state, now):
            raise StateUsed


def _store_user_data(state: Secret, user: Secret) -> None:
    """Store what comes with the first consent alone, as the exchange may fail."""
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
    *,
    brought: Mapping[str, str],
) -> FinishedSignIn:
    verifier = TAB_VERIFICATION.code_verifier.open(pending)
    tokens = redeem_code(provider, code, pending.redirect_uri, verifier)
    profile = _identify(provider, tokens, pending, now)
    user_data = user or TAB_VERIFICATION.told_user.open(pending)
    if profile["name"] is None and user_data is not None and "name" in provider.told_once:
        profile["name"] = apple.name_of(user_data.reveal())
    if provider.renewal == "fb_exchange_token":
        extended = extend_facebook_token(provider, tokens.access_token)
        tokens = replace(extended, metadata={**tokens.metadata, **extended.metadata})
    tokens = _add_metadata(tokens, brought)
    second = tokens.second
    second_profile = _identify(provider, second, pending, now) if second else None
    with transaction():
        connection = _store(provider, tokens, pending, profile, now)
        if second is not None and second_profile is not None:
            _store(provider, second, pending, second_profile, now)
    return FinishedSignIn(connection, tokens)


def _add_metadata(tokens: TokenResponse, brought: Mapping[str, str]) -> TokenResponse:
    """Add what the browser brought to what the provider's answer says, which comes first."""
    metadata = merge_metadata(brought, tokens.metadata) or brought
    second = tokens.second and _add_metadata(tokens.second, brought)
    return replace(tokens, metadata=metadata, second=second)


def _store(
    provider: Provider,
    tokens: TokenResponse,
    pending: TAB_VERIFICATION,
    profile: Profile,
    now: datetime,
) -> TAB_CONNECTIONS:
    requested_scope = pending.scope
    if tokens.account is not None and tokens.account["token_of"] == "user":
        requested_scope = provider.authorization_parameters.get("user_scope", "").replace(",", " ")
    end = forecast_consent_end(provider, tokens, now)
    grant = build_grant(provider, tokens, profile["subject"], requested_scope, now, end=end)
    connection = store_connection(
        Owner(app=pending.app, provider=provider.name, subject=pending.subject),
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
        since = _earliest_login(pending)
        claims = verify_id_token(provider, tokens.id_token, nonce, now, logged_in_since=since)
    return fetch_profile(provider, tokens.access_token, claims)


def _earliest_login(pending: TAB_VERIFICATION) -> datetime | None:
    """Return when the user may have logged in with the provider at the earliest, if that was asked.

    Counted from the beginning of the sign-in: what the user does at the provider takes time.
    """
    if pending.max_age is None:
        return None
    started_at: datetime = pending.created_at
    return started_at - timedelta(seconds=pending.max_age)
