"""Redirect URIs: one for all providers, or one each against mix-up (RFC 9700 section 4.4.2.2)."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from actors.providers.protocol.provider import Provider
from config import current_settings


def redirect_uri_of(provider: Provider) -> str:
    """Return the redirect URI of sign-ins with a provider.

    A provider that names itself in its answers (RFC 9207) is recognised without its own URI.
    """
    settings = current_settings()
    names_itself = provider.authorization_response_iss_parameter_supported
    if names_itself or not settings.oauth.redirect_path_per_provider:
        return settings.redirect_uri
    return own_redirect_uri(provider.public_name)


def own_redirect_uri(provider: str) -> str:
    """Return the redirect URI that only this provider has."""
    parts = urlsplit(current_settings().redirect_uri)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{provider}"))
