"""Asking a token endpoint: for a code, for a refresh token, and in Facebook's own way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests
from oauthlib.oauth2 import OAuth2Error
from oauthlib.oauth2.rfc6749.parameters import parse_token_response
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from actors.errors import ProviderMisbehaved, ProviderNotConfigured, ProviderRefused
from actors.providers.provider import Provider
from actors.providers.transport import check_available, guard
from catfeeder.sealing import Secret

#: A lifetime beyond this is no lifetime but a time of day, or nonsense.
_LONGEST_LIFETIME_SECONDS: Final = 10 * 365 * 86400


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A successful answer (RFC 6749 section 5.1); `scope` is None when the answer tells none."""

    access_token: Secret
    token_type: str
    refresh_token: Secret | None
    expires_in: int | None
    scope: str | None
    id_token: Secret | None


def redeem_code(
    provider: Provider, code: Secret, redirect_uri: str, code_verifier: Secret | None
) -> TokenResponse:
    """Exchange an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

    Raises:
        ProviderRefused: The provider answered with an error.
        ProviderMisbehaved: The answer holds no access token.
        ProviderUnreachable: No answer came in time; the code may have been used.
    """
    session = _session(provider, redirect_uri)
    more: dict[str, Any] = dict(client_credentials(provider))
    more["include_client_id"] = more.pop("client_id", None) is not None
    if code_verifier is not None:
        more["code_verifier"] = code_verifier.reveal()
    auth = basic_authentication(provider)
    return _answered(
        lambda: session.fetch_token(provider.token_endpoint, code=code.reveal(), auth=auth, **more),
        provider,
    )


def use_refresh_token(provider: Provider, refresh_token: Secret) -> TokenResponse:
    """Ask for a new access token (RFC 6749 section 6).

    Where the answer holds no new refresh token, the given one stays in force and is returned.

    Raises:
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As `redeem_code`.
    """
    session = _session(provider, None)
    more: dict[str, Any] = dict(client_credentials(provider))
    auth = basic_authentication(provider)
    return _answered(
        lambda: session.refresh_token(
            provider.token_endpoint, refresh_token.reveal(), auth=auth, **more
        ),
        provider,
    )


def extend_facebook_token(provider: Provider, access_token: Secret) -> TokenResponse:
    """Exchange a living token for one of about 60 days, in place of a refresh token.

    Raises:
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As `redeem_code`.
    """
    session = _session(provider, None)
    form = {
        "grant_type": "fb_exchange_token",
        "fb_exchange_token": access_token.reveal(),
        **client_credentials(provider),
    }

    def exchange() -> Mapping[str, Any]:
        response = session.request("POST", provider.token_endpoint, data=form, withhold_token=True)
        parsed: Mapping[str, Any] = parse_token_response(_unwrapped(response).text)
        return parsed

    return _answered(exchange, provider)


def _session(provider: Provider, redirect_uri: str | None) -> OAuth2Session:
    session = OAuth2Session(provider.client_id, redirect_uri=redirect_uri)
    guard(session)
    for hook in ("access_token_response", "refresh_token_response"):
        session.register_compliance_hook(hook, _unwrapped)
    return session


def _unwrapped(response: requests.Response) -> requests.Response:
    """Return what stands in the body: nothing for Basic, only client_id for public clients."""
    check_available(response)
    try:
        body = response.json()
    except ValueError:
        return response
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        error = body["error"]
        raise ProviderRefused(str(error.get("code") or error.get("type") or "error"))
    return response


def basic_authentication(provider: Provider) -> HTTPBasicAuth | None:
    """Return the Authorization header's content where the client authenticates by Basic."""
    if provider.token_endpoint_auth_method != "client_secret_basic":
        return None
    return HTTPBasicAuth(provider.client_id, _secret_text(provider))


def client_credentials(provider: Provider) -> dict[str, str]:
    """Return what stands in the body: nothing for Basic, the bare client_id for public clients."""
    match provider.token_endpoint_auth_method:
        case "client_secret_basic":
            return {}
        case "none":
            return {"client_id": provider.client_id}
        case _:
            return {"client_id": provider.client_id, "client_secret": _secret_text(provider)}


def _secret_text(provider: Provider) -> str:
    if provider.client_secret is None:
        raise ProviderNotConfigured(f"The provider {provider.name} has no client_secret.")
    return provider.client_secret.reveal()


def _answered(ask: Callable[[], Mapping[str, Any]], provider: Provider) -> TokenResponse:
    try:
        return _parsed(ask(), provider)
    except OAuth2Error as error:
        if error.error in (None, "missing_token"):
            raise ProviderMisbehaved("The provider's answer holds no access token.") from None
        raise ProviderRefused(str(error.error)) from None
    except (ValueError, TypeError, AttributeError):
        raise ProviderMisbehaved("The provider's token answer cannot be parsed.") from None


def _parsed(answer: Mapping[str, Any], provider: Provider) -> TokenResponse:
    access_token = answer.get("access_token")
    if not isinstance(access_token, str) or not access_token:
        raise ProviderMisbehaved("The provider's answer holds no access token.")
    return TokenResponse(
        access_token=Secret(access_token),
        token_type=str(answer.get("token_type") or "Bearer"),
        refresh_token=_secret_or_none(answer.get("refresh_token")),
        expires_in=_lifetime(answer.get("expires_in"), provider),
        scope=_scope(answer.get("scope")),
        id_token=_secret_or_none(answer.get("id_token")),
    )


def _secret_or_none(value: Any) -> Secret | None:
    return Secret(value) if isinstance(value, str) and value else None


def _lifetime(value: Any, provider: Provider) -> int | None:
    """Return a lifetime in seconds; where none is told, that of the provider's settings."""
    if isinstance(value, int) and 0 < value <= _LONGEST_LIFETIME_SECONDS:
        return value
    return provider.default_lifetime_seconds


def _scope(value: Any) -> str | None:
    """Return the granted scope with single spaces; some providers part it by commas."""
    if isinstance(value, list | tuple):
        value = " ".join(str(part) for part in value)
    return " ".join(value.replace(",", " ").split()) if isinstance(value, str) else None
