"""Asking a provider who the user is."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from actors.errors import (
    IdTokenInvalid,
    ProviderMisbehaved,
    ProviderNotConfigured,
    ProviderRefused,
    TokenInvalid,
)
from actors.providers.answers import is_visible_ascii
from actors.providers.profiles import Profile, normalise, subject_text
from actors.providers.provider import Provider
from actors.providers.transport import get_json
from catfeeder.sealing import Secret

_ABOUT_TOKEN: Final = frozenset(
    {"acr", "amr", "at_hash", "aud", "auth_time", "azp", "c_hash", "exp", "iat", "iss", "jti"}
    | {"nbf", "nonce", "s_hash", "sid"}
)


def fetch_profile(
    provider: Provider, access_token: Secret, claims: Mapping[str, Any] | None = None
) -> Profile:
    """Return the normalised profile behind an access token; `claims` are those of the id_token.

    Raises:
        IdTokenInvalid: User info speaks of another subject than the id_token (OpenID Connect Core
            section 5.3.2).
        TokenInvalid: This is no token; the provider was not asked.
        ProviderRefused: The provider does not accept the token.
        ProviderMisbehaved, ProviderUnreachable: The answer is not usable, or there is none.
    """
    if provider.userinfo_endpoint is None:
        if claims is None:
            raise ProviderNotConfigured(f"The provider {provider.name} has no userinfo_endpoint.")
        return normalise(provider, _about_user(claims))
    raw = _get(provider, provider.userinfo_endpoint, access_token)
    if not isinstance(raw, dict):
        raise ProviderMisbehaved("The provider's user info is not a JSON object.")
    if claims is not None and subject_text(raw.get("sub")) != subject_text(claims["sub"]):
        raise IdTokenInvalid("User info speaks of another subject than the id_token.")
    if provider.emails_endpoint is not None:
        raw |= _primary_email(provider, provider.emails_endpoint, access_token)
    return normalise(provider, _merged(provider, _about_user(claims or {}), raw))


def _about_user(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims that speak of the user, without those about the token itself."""
    return {name: value for name, value in claims.items() if name not in _ABOUT_TOKEN}


def _merged(
    provider: Provider, claims: Mapping[str, Any], raw: Mapping[str, Any]
) -> dict[str, Any]:
    """Complete user info by the claims of the id_token.

    An address and the word that it is verified come from the same of the two: the id_token's word
    says nothing of another address in user info.
    """
    about_email = {provider.profile[part].partition(".")[0] for part in ("email", "email_verified")}
    if not about_email.isdisjoint(raw):
        claims = {name: value for name, value in claims.items() if name not in about_email}
    return {**claims, **raw}


def _get(provider: Provider, url: str, access_token: Secret) -> Any:
    if not is_visible_ascii(access_token.reveal()):
        raise TokenInvalid
    if provider.renewal == "fb_exchange_token":
        joint = "&" if urlsplit(url).query else "?"
        url += joint + urlencode({"appsecret_proof": _appsecret_proof(provider, access_token)})
    return get_json(url, {"Authorization": f"Bearer {access_token.reveal()}"})


def _appsecret_proof(provider: Provider, access_token: Secret) -> str:
    """Prove to Facebook that whoever holds the token also holds the app's secret."""
    if provider.client_secret is None:
        raise ProviderNotConfigured(f"The provider {provider.name} has no client_secret.")
    secret = provider.client_secret.reveal_bytes()
    return hmac.new(secret, access_token.reveal_bytes(), hashlib.sha256).hexdigest()


def _primary_email(provider: Provider, url: str, access_token: Secret) -> dict[str, Any]:
    """Return GitHub's primary and verified address; `email` of the user is only the public one.

    An app without the permission is refused the list, and the public address stays, of which
    nothing is known.
    """
    try:
        entries = _get(provider, url, access_token)
    except ProviderRefused:
        return {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("primary") and entry.get("verified"):
            return {"email": entry.get("email"), "email_verified": True}
    return {"email": None, "email_verified": None}
