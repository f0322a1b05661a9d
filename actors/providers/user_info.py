"""Asking a provider who the user is."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from actors.errors import IdTokenInvalid, ProviderMisbehaved, ProviderNotConfigured
from actors.providers.profiles import Profile, normalise
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
        ProviderMisbehaved, ProviderUnreachable: The answer is not usable, or there is none.
    """
    if provider.userinfo_endpoint is None:
        if claims is None:
            raise ProviderNotConfigured(f"The provider {provider.name} has no userinfo_endpoint.")
        return normalise(provider, _about_user(claims))
    raw = _object(_get(provider, provider.userinfo_endpoint, access_token))
    if claims is not None and raw.get("sub") != claims["sub"]:
        raise IdTokenInvalid("User info speaks of another subject than the id_token.")
    raw = {**_about_user(claims or {}), **raw}
    if provider.emails_endpoint is not None:
        raw |= _primary_email(_get(provider, provider.emails_endpoint, access_token))
    return normalise(provider, raw)


def _about_user(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims that speak of the user, without those about the token itself."""
    return {name: value for name, value in claims.items() if name not in _ABOUT_TOKEN}


def _get(provider: Provider, url: str, access_token: Secret) -> Any:
    if provider.renewal == "fb_exchange_token":
        url += "&" + urlencode({"appsecret_proof": _appsecret_proof(provider, access_token)})
    return get_json(url, {"Authorization": f"Bearer {access_token.reveal()}"})


def _appsecret_proof(provider: Provider, access_token: Secret) -> str:
    """Prove to Facebook that whoever holds the token also holds the app's secret."""
    secret = provider.client_secret.reveal_bytes() if provider.client_secret else b""
    return hmac.new(secret, access_token.reveal_bytes(), hashlib.sha256).hexdigest()


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise ProviderMisbehaved("The provider's user info is not a JSON object.")
    return answer


def _primary_email(entries: Any) -> dict[str, Any]:
    """Return GitHub's primary and verified address; `email` of the user is only the public one."""
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("primary") and entry.get("verified"):
            return {"email": entry.get("email"), "email_verified": True}
    return {"email": None, "email_verified": None}
