"""Refresh for a target (RFC 6749 section 6, RFC 8707 section 2.2), journaled like a renewal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from actors.connections.errors import ConnectionBusy, ReauthorizationRequired
from actors.derived_tokens.errors import InvalidScope, InvalidTarget
from actors.errors import AuthError, FailureKind
from actors.providers.config.breaker import apply_breaker
from actors.providers.http.pools import check_before_send
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.token_endpoint import use_refresh_token
from actors.providers.protocol.tokens.answers import TokenResponse
from actors.providers.protocol.tokens.kept import mark_derived
from actors.providers.protocol.tokens.targets import (
    Target,
    write_resources,
    write_target,
)
from actors.renewal.attempt import check_time_left
from actors.renewal.kept_answers import AnswerKeeper
from actors.renewal.leased import renew_leased
from actors.renewal.limits import LIMITS, lease_end
from actors.renewal.outcomes.identities import check_identity
from actors.renewal.outcomes.releases import close_attempt
from catfeeder.errors import CatFeederError
from catfeeder.sealing import Secret
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.provider_health import TAB_PROVIDER_HEALTH
from models.renewal.grouped_writes import begin_first_attempt
from models.renewal.journal import TAB_ATTEMPTS, Attempt, claim_unstarted, digest_token
from models.renewal.leases import keep_refresh_token, release


@dataclass(frozen=True, slots=True)
class _Refresh:
    """A refresh that has begun: the journal knows that the token is about to be sent."""

    row: TAB_CONNECTIONS
    token: Secret
    attempt: Attempt
    keeper: AnswerKeeper


def ask_by_refresh(
    provider: Provider, row: TAB_CONNECTIONS, target: Target, now: datetime
) -> TokenResponse:
    """Use a connection's refresh token for a token of a target; a new refresh token is stored.

    It may be spent by the request. So the request has the connection's lease and its journal: after
    an interruption the next renewal takes the refresh token of the answer that was kept.

    Raises:
        ConnectionBusy: A renewal is in flight, or had to come first.
        IdentityRefused: The answer is about another user than the connection's.
        ProviderPaused, ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As a renewal.
    """
    refresh = _begin(row, now)
    try:
        tokens = _send(provider, refresh, target, now)
    except CatFeederError as error:
        _abandon(refresh, error, now)
        raise
    _end(refresh, tokens)
    check_identity(provider, tokens, row)
    return tokens


def check_is_part(provider: Provider, row: TAB_CONNECTIONS, target: Target) -> None:
    """Check that a refresh asks for a part of what was granted, before its token is shown.

    Some providers spend a refresh token, and then refuse the target: the grant would be lost. So a
    resource has to be one that the sign-in has named (RFC 8707 section 2.2). A scope that was not
    granted (RFC 6749 section 6) is refused here where refresh tokens are known to be single-use.

    Raises:
        InvalidTarget, InvalidScope: It is none.
    """
    if not set(target.resources) <= set((row.sign_in or {}).get("resource", ())):
        raise InvalidTarget(
            "A refresh is for a resource that the sign-in has named: name it at authorize first."
        )
    if provider.single_use_refresh_tokens and not set(target.scopes) <= set(row.scope.split()):
        raise InvalidScope("A refresh is for a part of the scope that was granted.")


def _begin(row: TAB_CONNECTIONS, now: datetime) -> _Refresh:
    token = TAB_CONNECTIONS.refresh_token.open(row)
    if token is None:
        raise ReauthorizationRequired
    with hold_connection():
        lease = claim_unstarted(row.id, row.version, now, lease_end(now))
    if lease is None:
        raise ConnectionBusy
    attempt = begin_first_attempt(lease, lease_end(now), digest_token(token)[0], now)
    if attempt is None:
        # An earlier request was interrupted: a renewal finds out what became of the token.
        renew_leased(lease, now)
        raise ConnectionBusy
    return _Refresh(row, token, attempt, AnswerKeeper(attempt.lease, LIMITS.answer_seconds))


def _send(provider: Provider, refresh: _Refresh, target: Target, now: datetime) -> TokenResponse:
    row = refresh.row
    with hold_connection():
        health = TAB_PROVIDER_HEALTH.find(row.provider)
    own = write_resources(provider, (row.sign_in or {}).get("resource", ()))
    asked = {**own, **write_target(provider, target)}
    with (
        apply_breaker(provider, health, row.id, now),
        check_before_send(partial(check_time_left, refresh.attempt.lease)),
    ):
        return use_refresh_token(
            provider,
            refresh.token,
            lambda answer: refresh.keeper.keep(mark_derived(answer)),
            row.metadata,
            target=asked,
        )


def _end(refresh: _Refresh, tokens: TokenResponse) -> None:
    """Store the refresh token that replaces the one in hand, and end journal and lease."""
    lease, new = refresh.attempt.lease, tokens.refresh_token
    with transaction():
        if new is not None and new.reveal() != refresh.token.reveal():
            keep_refresh_token(lease, new)
        TAB_ATTEMPTS.end(lease.connection_id, lease.version)
        release(lease)
    refresh.keeper.discard_file()


def _abandon(refresh: _Refresh, error: CatFeederError, now: datetime) -> None:
    """End the lease; where the grant may be gone, a renewal that is due now finds that out."""
    is_unclear = isinstance(error, AuthError) and error.is_outcome_unknown
    is_dead = isinstance(error, AuthError) and error.kind is FailureKind.GRANT_DEAD
    changes = {"renew_at": now} if is_unclear or is_dead else {}
    with transaction():
        if release(refresh.attempt.lease, **changes):
            close_attempt(refresh.attempt, is_open=is_unclear, keep_answer=is_unclear)
    refresh.keeper.discard_file()
