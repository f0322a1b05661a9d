"""Redemption of a code: it becomes tokens, a profile and a stored connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from actors.oauth.stored_grants import GrantOrigin, extend_lifetime, identify, store_tokens
from actors.providers.errors import ProviderRefused
from actors.providers.identity.authentication import AcrDemand, Demands
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import apple
from actors.providers.protocol.token_endpoint import TokenResponse, redeem_code
from catfeeder.results import Profile
from catfeeder.sealing import Secret
from models.db.database import transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.grants import merge_metadata
from models.oauth.sign_ins import TAB_VERIFICATION


@dataclass(frozen=True, slots=True)
class FinishedSignIn:
    """The stored connection, and the tokens as the provider granted them."""

    connection: TAB_CONNECTIONS
    tokens: TokenResponse


def redeem(
    provider: Provider,
    pending: TAB_VERIFICATION,
    code: Secret,
    user: Secret | None,
    now: datetime,
    *,
    brought: Mapping[str, str],
    repeated: Mapping[str, str],
) -> FinishedSignIn:
    """Redeem the code of a claimed sign-in, and store the one or two connections that it yields.

    `user` is what Apple sends about the user beside the code, `brought` the metadata that the
    browser brought, and `repeated` what of it the token request repeats.

    Raises:
        IdTokenInvalid: The id_token is missing or not valid.
        CodeInvalid, ProviderError: As `redeem_code` and `fetch_profile`.
    """
    verifier = TAB_VERIFICATION.code_verifier.open(pending)
    origin = _describe_origin(pending)
    uri, resources = pending.redirect_uri, origin.resources
    with _tell_refusal(code, verifier):
        tokens = redeem_code(provider, code, uri, verifier, repeated, resources=resources)
    signed_in = identify(provider, tokens, origin, now)
    _add_name(signed_in.profile, provider, user or TAB_VERIFICATION.told_user.open(pending))
    tokens = _add_metadata(extend_lifetime(provider, tokens), brought)
    second = tokens.second
    second_user = identify(provider, second, origin, now) if second else None
    with transaction():
        connection = store_tokens(provider, tokens, origin, signed_in, now)
        if second is not None and second_user is not None:
            store_tokens(provider, second, origin, second_user, now)
    return FinishedSignIn(connection, tokens)


def _describe_origin(pending: TAB_VERIFICATION) -> GrantOrigin:
    return GrantOrigin(
        app=pending.app,
        subject=pending.subject,
        scope=pending.scope,
        key=pending.state_hash,
        variables=pending.variables,
        nonce=TAB_VERIFICATION.nonce.open(pending),
        demands=Demands(_compute_earliest_login(pending), _read_acr_demand(pending)),
        resources=(pending.demands or {}).get("resource", ()),
        detail={"unbound": True} if pending.is_unbound else {},
    )


@contextmanager
def _tell_refusal(*sent: Secret | None) -> Iterator[None]:
    """Have a refusal say what the provider said, without the secrets that were sent."""
    try:
        yield
    except ProviderRefused as error:
        for secret in filter(None, sent):
            error.hide(secret)
        error.tell_answer()
        raise


def _add_name(profile: Profile, provider: Provider, user: Secret | None) -> None:
    """Fill in the name that Apple sends at the first consent alone, if the profile has none."""
    if profile["name"] is None and user is not None and "name" in provider.told_once:
        profile["name"] = apple.name_of(user.reveal())


def _add_metadata(tokens: TokenResponse, brought: Mapping[str, str]) -> TokenResponse:
    """Add what the browser brought to what the provider's answer says, which comes first."""
    metadata = merge_metadata(brought, tokens.metadata) or brought
    second = tokens.second and _add_metadata(tokens.second, brought)
    return replace(tokens, metadata=metadata, second=second)


def _read_acr_demand(pending: TAB_VERIFICATION) -> AcrDemand | None:
    demands = pending.demands or {}
    if "acr_values" not in demands:
        return None
    return AcrDemand(tuple(demands["acr_values"]), demands["acr_essential"])


def _compute_earliest_login(pending: TAB_VERIFICATION) -> datetime | None:
    """Return when the user may have logged in with the provider at the earliest, if that was asked.

    Counted from the beginning of the sign-in: what the user does at the provider takes time.
    """
    if pending.max_age is None:
        return None
    started_at: datetime = pending.created_at
    return started_at - timedelta(seconds=pending.max_age)
