"""Token requests of renewals (RFC 6749 section 6): what is asked, and what the answer grants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import requests

from actors.connections.credentials.members import Credentials, open_credentials
from actors.connections.forecasts import forecast_renewal_end
from actors.connections.grants import GrantRequest, build_grant, with_known_lifetime
from actors.errors import AuthError
from actors.providers.config.cache import ProviderCache
from actors.providers.errors import ProviderRefused
from actors.providers.protocol.filling import fill_connection
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.token_endpoint import (
    KeepAnswer,
    TokenResponse,
    exchange_token,
    read_answered_tokens,
    read_kept_tokens,
    use_refresh_token,
)
from actors.providers.protocol.tokens.client_grants import adapt_provider, request_token
from actors.providers.protocol.tokens.targets import write_resources
from actors.renewal.outcomes.identities import check_identity
from catfeeder.sealing import Secret
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.grants import Grant, merge_metadata
from models.oauth.provider_health import TAB_PROVIDER_HEALTH


class RefreshTokenMissing(AuthError):
    """Raised for a connection without the kind of token that its provider renews by."""

    message = (
        "The provider gave nothing to renew this token with: it serves until it runs out, and then "
        "the user signs in again for another one."
    )


@dataclass(frozen=True, slots=True)
class RenewalRequest:
    """A connection with what its renewal takes: the provider, and the token to present."""

    row: TAB_CONNECTIONS
    provider: Provider
    health: TAB_PROVIDER_HEALTH
    token: Secret
    #: What a connection without a user asks for its tokens with; then `token` identifies them.
    credentials: Credentials | None = None

    def send(self, keep: KeepAnswer) -> TokenResponse:
        """Ask the provider for new tokens; `keep` gets each answer before it is read.

        Raises:
            ProviderRefused, ProviderMisbehaved, ProviderUnreachable: The provider's part failed.
        """
        with self._hide_token():
            if (made_from := self.credentials) is not None:
                return request_token(self.provider, made_from.kind, made_from.members, keep)
            metadata = self.row.metadata
            if (exchange := self.provider.renewal_exchange) is not None:
                return exchange_token(self.provider, exchange, self.token, keep, metadata)
            target = write_resources(self.provider, (self.row.sign_in or {}).get("resource", ()))
            return use_refresh_token(self.provider, self.token, keep, metadata, target=target)

    def receive(self, response: requests.Response, keep: KeepAnswer) -> TokenResponse:
        """Read an answer that came late; raises as `send` does."""
        with self._hide_token():
            tokens = read_answered_tokens(self.provider, response, keep)
        return replace(tokens, refresh_token=tokens.refresh_token or self.token)

    def read(self, answer: Secret, asked_at: datetime) -> TokenResponse:
        """Read an answer that was kept to a request of `asked_at`; raises as `send` does."""
        with self._hide_token():
            tokens = read_kept_tokens(self.provider, answer, asked_at)
        if self.credentials is not None:
            return replace(tokens, refresh_token=None)
        if self.provider.renewal_exchange is not None:
            return tokens
        return replace(tokens, refresh_token=tokens.refresh_token or self.token)

    @contextmanager
    def _hide_token(self) -> Iterator[None]:
        """Remove the token from what a refusal says, should the provider repeat it."""
        try:
            yield
        except ProviderRefused as error:
            error.hide(self.token)
            raise

    def build_grant(self, tokens: TokenResponse, asked_at: datetime) -> Grant:
        """Turn the provider's answer to a request of `asked_at` into the grant to store.

        Raises:
            IdentityRefused: The answer is about another user than the connection's.
        """
        row = self.row
        if tokens.second is not None and _is_same_kind(tokens.second, row):
            tokens = tokens.second
        check_identity(self.provider, tokens, row)
        tokens = with_known_lifetime(tokens, row)
        # Counted from before the call, the lifetime is too short by a moment, and never too long.
        known = row.grant_expires_at
        is_endless = self.credentials is not None
        end = None if is_endless else forecast_renewal_end(self.provider, tokens, known, asked_at)
        asked_scope = self._find_asked_scope()
        request = GrantRequest(row.provider_subject, asked_scope, row.scope, known)
        grant = build_grant(self.provider, tokens, request, asked_at, end=end)
        if tokens.metadata or row.metadata:
            grant = replace(grant, metadata=merge_metadata(row.metadata, tokens.metadata))
        if tokens.scope is None and self.credentials is None:
            return replace(grant, scope=row.scope, missing_scope=row.missing_scope)
        return grant

    def _find_asked_scope(self) -> str:
        if self.credentials is not None:
            return self.credentials.members.get("scope", "")
        return f"{self.row.scope} {self.row.missing_scope}"


def prepare_renewal(row: TAB_CONNECTIONS, now: datetime, memory: ProviderCache) -> RenewalRequest:
    """Return the request that renews a connection, with the provider as `memory` has it.

    Raises:
        RefreshTokenMissing: There is nothing to renew it with.
        SealBroken: Its token does not open.
        VariablesInvalid: Its variables are not what the provider's settings allow now.
        ProviderUnknown, ProviderNotConfigured: Its provider has gone, or lacks a setting.
        ProviderUnreachable, ProviderRefused, ProviderMisbehaved, AddressForbidden: The discovery
            at its issuer, which had to come first, failed.
    """
    provider, health = memory.look_up(row.provider, now)
    provider = fill_connection(provider, row.variables, row.metadata)
    if (credentials := open_credentials(row)) is not None:
        return build_request(row, provider, health, credentials)
    refresh_token = TAB_CONNECTIONS.refresh_token.open(row)
    needs_token = provider.renewal == "access_token" or bool(provider.prolonging_answer)
    access_token = TAB_CONNECTIONS.access_token.open(row) if needs_token else None
    if provider.renewal == "access_token" and access_token is not None:
        return RenewalRequest(row, provider, health, access_token)
    if provider.renewal == "refresh_token" and refresh_token is not None:
        if access_token is not None:
            provider = replace(provider, token_in_hand=access_token)
        return RenewalRequest(row, provider, health, refresh_token)
    raise RefreshTokenMissing


def build_request(
    row: TAB_CONNECTIONS,
    provider: Provider,
    health: TAB_PROVIDER_HEALTH,
    credentials: Credentials,
) -> RenewalRequest:
    """Return the request for another token of a connection that was made from credentials.

    Raises:
        RefreshTokenMissing: They are all that its requests carry; there is nothing to renew.
    """
    if credentials.is_static:
        raise RefreshTokenMissing
    adapted = adapt_provider(provider, credentials.kind, credentials.members)
    return RenewalRequest(row, adapted, health, credentials.serialize(), credentials)


def _is_same_kind(tokens: TokenResponse, row: TAB_CONNECTIONS) -> bool:
    """Return whether tokens are of the same kind as the connection's: a bot's, or a user's."""
    kind = (tokens.account or {}).get("token_of")
    return bool(kind == row.profile.get("raw", {}).get("token_of"))
