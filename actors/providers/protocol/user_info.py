"""User info (OpenID Connect Core section 5.3): fetches the profile behind an access token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.errors import (
    IdTokenInvalid,
    ProviderNotConfigured,
    ProviderRefused,
    TokenInvalid,
)
from actors.providers.http.answers import error_of, is_visible_ascii
from actors.providers.http.requests import get_json
from actors.providers.protocol.profiles import normalise, only_entry, subject_text
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import facebook
from actors.providers.protocol.quirks.email_lists import choose_email
from catfeeder.results import Profile
from catfeeder.sealing import Secret

_EMAIL_PARTS: Final = ("email", "email_verified")
_TOKEN_CLAIMS: Final = frozenset(
    {"at_hash", "aud", "azp", "c_hash", "exp", "iat", "iss", "jti", "nbf", "nonce", "s_hash", "sid"}
)


def fetch_profile(
    provider: Provider, access_token: Secret, claims: Mapping[str, Any] | None = None
) -> Profile:
    """Return the normalised profile behind an access token; `claims` are those of the id_token.

    Raises:
        IdTokenInvalid: User info has another subject than the id_token (OpenID Connect Core
            section 5.3.2).
        TokenInvalid: The token has characters that no token has; nothing was sent.
        ProviderNotConfigured: There is neither userinfo_endpoint nor `claims`.
        ProviderRefused: The provider does not accept the token.
        ProviderMisbehaved, ProviderUnreachable: The answer is not usable, or none came.
    """
    if provider.userinfo_endpoint is None:
        if claims is None:
            raise ProviderNotConfigured(f"The provider {provider.name} has no userinfo_endpoint.")
        return normalise(provider, _user_claims(claims))
    raw = only_entry(provider, _fetch(provider, provider.userinfo_endpoint, access_token))
    if (error := error_of(raw)) is not None:
        raise ProviderRefused(error)
    if claims is not None and subject_text(raw.get("sub")) != subject_text(claims["sub"]):
        raise IdTokenInvalid("User info speaks of another subject than the id_token.")
    emails = provider.emails_endpoint
    if emails is not None:
        raw |= _fetch_email(provider, emails, access_token)
    return normalise(provider, _merge_claims(provider, _user_claims(claims or {}), raw))


def _fetch_email(provider: Provider, url: str, access_token: Secret) -> dict[str, Any]:
    """Return the address of a list, in place of the public one that user info may have.

    Without permission for the list the result is empty, and the public address stays, unverified.
    """
    try:
        answer = _fetch(provider, url, access_token)
    except ProviderRefused:
        return {}
    address, is_verified = choose_email(answer, provider.emails)
    found = dict(zip(_EMAIL_PARTS, (address, is_verified), strict=True))
    return {provider.profile[part]: value for part, value in found.items()}


def _user_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims about the user, without those about the token itself."""
    return {name: value for name, value in claims.items() if name not in _TOKEN_CLAIMS}


def _merge_claims(
    provider: Provider, claims: Mapping[str, Any], raw: Mapping[str, Any]
) -> dict[str, Any]:
    """Complete user info by the claims of the id_token.

    `email_verified` of the id_token does not count for another address in user info, nor against
    user info's own `email_verified`.
    """
    email, verified = (provider.profile[part].partition(".")[0] for part in _EMAIL_PARTS)
    about_email = {email, verified}
    is_same = email in raw and raw[email] == claims.get(email) and verified not in raw
    if not is_same and not about_email.isdisjoint(raw):
        claims = {name: value for name, value in claims.items() if name not in about_email}
    return {**claims, **raw}


def _fetch(provider: Provider, url: str, access_token: Secret) -> Any:
    if not is_visible_ascii(access_token.reveal()):
        raise TokenInvalid
    headers = {"Authorization": f"Bearer {access_token.reveal()}"}
    if provider.renewal == "fb_exchange_token":
        return facebook.get_json_with_proof(provider, url, access_token, headers)
    return get_json(url, headers)
