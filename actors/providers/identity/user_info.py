"""User info (OpenID Connect Core section 5.3): fetches the profile behind an access token."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import requests

from actors.errors import (
    AddressForbidden,
    AuthError,
    IdTokenInvalid,
    ProviderMisbehaved,
    ProviderNotConfigured,
    ProviderRefused,
    TokenInvalid,
)
from actors.providers.http.answers import error_of, is_visible_ascii
from actors.providers.http.requests import get_json, read_json, send
from actors.providers.identity.email_lists import choose_email
from actors.providers.identity.id_tokens import check_audience, check_issuer
from actors.providers.identity.profiles import normalise, only_entry, subject_text
from actors.providers.identity.signatures import verify_signature
from actors.providers.protocol.keys import shared_key_cache
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import facebook
from catfeeder.results import Profile, ProfileSource
from catfeeder.sealing import Secret

_LOG = logging.getLogger(__name__)
_EMAIL_PARTS: Final = ("email", "email_verified")
_TOKEN_CLAIMS: Final = frozenset(
    {"at_hash", "aud", "azp", "c_hash", "exp", "iat", "iss", "jti", "nbf", "nonce", "s_hash", "sid"}
)


def fetch_profile(
    provider: Provider, access_token: Secret, claims: Mapping[str, Any] | None = None
) -> Profile:
    """Return the normalised profile behind an access token; `claims` are those of the id_token.

    Where user info fails, the id_token is the profile if it names the user: the tokens of a
    sign-in are not lost for a want of more. `source` of the profile says which it is.

    Raises:
        IdTokenInvalid: User info has another subject than the id_token (OpenID Connect Core
            section 5.3.2).
        TokenInvalid: The token has characters that no token has; nothing was sent.
        ProviderNotConfigured: There is neither userinfo_endpoint nor `claims`.
        AddressForbidden: userinfo_endpoint leads where it must not.
        ProviderRefused: The provider does not accept the token.
        ProviderMisbehaved, ProviderUnreachable: The answer is not usable, or none came.
    """
    if provider.userinfo_endpoint is None:
        if claims is None:
            raise ProviderNotConfigured.lacks(provider.name, "userinfo_endpoint")
        return _profile_of_claims(provider, claims)
    try:
        return _ask(provider, provider.userinfo_endpoint, access_token, claims)
    except AuthError as error:
        # An endpoint that must not be called is the operator's to know of.
        if claims is None or isinstance(error, AddressForbidden | IdTokenInvalid):
            raise
        return _fall_back(provider, claims, error)


def _ask(
    provider: Provider, url: str, access_token: Secret, claims: Mapping[str, Any] | None
) -> Profile:
    raw = only_entry(provider, _fetch_user_info(provider, url, access_token))
    if (error := error_of(raw)) is not None:
        raise ProviderRefused(error)
    if claims is not None:
        _check_subject(raw, claims)
    emails = provider.emails_endpoint
    if emails is not None:
        raw |= _fetch_email(provider, emails, access_token)
    return normalise(provider, _merge_claims(provider, _user_claims(claims or {}), raw))


def _check_subject(raw: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    """Make sure that user info is about the id_token's user (OpenID Connect Core section 5.3.2)."""
    if raw.get("sub") is None:
        raise ProviderMisbehaved("User info has no sub, so it may be about another user.")
    if subject_text(raw["sub"]) != subject_text(claims["sub"]):
        raise IdTokenInvalid("User info speaks of another subject than the id_token.")


def _profile_of_claims(provider: Provider, claims: Mapping[str, Any]) -> Profile:
    is_token_response = provider.token_answer != "standard"
    source: ProfileSource = "token_response" if is_token_response else "id_token"
    return normalise(provider, _user_claims(claims), source)


def _fall_back(provider: Provider, claims: Mapping[str, Any], error: AuthError) -> Profile:
    """Return the profile of the id_token; raise `error` where that does not name the user."""
    try:
        profile = _profile_of_claims(provider, claims)
    except ProviderMisbehaved:
        raise error from None
    text = "User info of %s failed, so the profile is that of the id_token: %s"
    _LOG.warning(text, provider.name, error.detail, extra={"provider": provider.name})
    return profile


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


def _fetch_user_info(provider: Provider, url: str, access_token: Secret) -> Any:
    """Fetch user info, which may be signed (OpenID Connect Core sections 5.3.1 and 5.3.2)."""
    if provider.appsecret_proof:
        return _fetch(provider, url, access_token)
    headers = _authorize(access_token) | {"Accept": "application/json, application/jwt;q=0.9"}
    response = send(provider.userinfo_method, url, headers=headers)
    if response.status_code == requests.codes.method_not_allowed:
        # Both methods are the standard's, and some providers have one of them alone.
        other = "GET" if provider.userinfo_method == "POST" else "POST"
        response = send(other, url, headers=headers)
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.ok and media_type == "application/jwt":
        return _open_signed(provider, response.text.strip())
    return read_json(response)


def _open_signed(provider: Provider, text: str) -> dict[str, Any]:
    """Return the claims of signed user info; `iss` and `aud` have to be right if they are there."""
    try:
        claims = verify_signature(provider, text, shared_key_cache(), name="user info")
        if "iss" in claims and provider.issuer is not None:
            check_issuer(provider, claims, name="user info")
        if "aud" in claims:
            check_audience(provider, claims, name="user info")
    except IdTokenInvalid as error:
        raise ProviderMisbehaved(error.detail) from None
    return _user_claims(claims)


def _fetch(provider: Provider, url: str, access_token: Secret) -> Any:
    headers = _authorize(access_token)
    if provider.appsecret_proof:
        return facebook.get_json_with_proof(provider, url, access_token, headers)
    return get_json(url, headers)


def _authorize(access_token: Secret) -> dict[str, str]:
    if not is_visible_ascii(access_token.reveal()):
        raise TokenInvalid
    return {"Authorization": f"Bearer {access_token.reveal()}"}
