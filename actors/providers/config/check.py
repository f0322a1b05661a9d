"""Looking a provider over before users meet its mistakes: each finding comes with its remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from actors.errors import AuthError
from actors.providers.config.discovery import discover_provider
from actors.providers.config.lookup import find_provider, issuer_to_discover, provider_row
from actors.providers.config.static_checks import Finding, settings_findings
from actors.providers.protocol.keys import KeyCache
from actors.providers.protocol.metadata import fetch_document
from actors.providers.protocol.provider import Provider


def check_provider(provider: str) -> dict[str, Any]:
    """Perform the message of the same name: `{"provider", "is_ok", "findings": [...]}`.

    Raises:
        ProviderUnknown: There is no such provider.
    """
    row = provider_row(provider)
    try:
        if issuer_to_discover(row) is not None:
            discover_provider(provider)
        findings = list(_findings(find_provider(provider)))
    except AuthError as error:
        remedy = f"Correct the settings by PATCH /v1/providers/{provider}, or its variables."
        findings = [Finding("configuration", False, error.detail, remedy)]
    return {
        "provider": provider,
        "is_ok": all(finding.is_ok for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _findings(provider: Provider) -> Iterator[Finding]:
    yield from settings_findings(provider)
    published: Mapping[str, Any] = {}
    if provider.issuer is not None and "{" not in provider.issuer:
        try:
            published = fetch_document(provider.issuer)
        except AuthError as error:
            remedy = "Check issuer: it is the URL before /.well-known/openid-configuration."
            yield Finding("discovery", False, error.detail, remedy)
        else:
            yield Finding("discovery", True, "The issuer publishes its metadata.")
            yield _client_authentication(provider, published)
            yield _pkce(provider, published)
    if provider.yields_id_token(provider.scopes) and provider.jwks_uri is not None:
        yield _keys(provider.jwks_uri)
    yield _renewal(provider, published)


def _keys(jwks_uri: str) -> Finding:
    try:
        KeyCache().keys(jwks_uri, None)
    except AuthError as error:
        remedy = "Check jwks_uri: without its keys no id_token can be believed."
        return Finding("keys", False, error.detail, remedy)
    return Finding("keys", True, "The keys of its id_tokens are published.")


def _client_authentication(provider: Provider, published: Mapping[str, Any]) -> Finding:
    method = provider.token_endpoint_auth_method
    supported = _listed(published, "token_endpoint_auth_methods_supported")
    # Where nothing is published, the standard says Basic (RFC 8414 section 2).
    supported = supported or ["client_secret_basic"]
    if method not in supported:
        remedy = f"Set token_endpoint_auth_method to one of {', '.join(supported)}."
        return Finding("client_authentication", False, f"{method} is not published.", remedy)
    return Finding("client_authentication", True, f"{method} is published.")


def _pkce(provider: Provider, published: Mapping[str, Any]) -> Finding:
    supported = _listed(published, "code_challenge_methods_supported")
    if not provider.uses_pkce and "S256" in supported:
        remedy = 'Set code_challenge_method to "S256".'
        return Finding("pkce", False, "The provider supports PKCE and it is off.", remedy)
    if provider.uses_pkce and supported and "S256" not in supported:
        remedy = 'Set code_challenge_method to "none" if sign-ins fail.'
        return Finding("pkce", False, "The provider does not publish S256.", remedy)
    return Finding("pkce", True, "PKCE is used as the provider publishes it.")


def _renewal(provider: Provider, published: Mapping[str, Any]) -> Finding:
    if provider.renewal != "refresh_token":
        return Finding("renewal", True, f"Tokens are renewed by: {provider.renewal}.")
    scope = provider.offline_scope
    if scope is None and "offline_access" in _listed(published, "scopes_supported"):
        scope = "offline_access"
    if scope is not None and scope not in provider.scopes:
        remedy = f"Add {scope} to scopes."
        return Finding("renewal", False, f"Without {scope} there is no refresh token.", remedy)
    asked = provider.authorization_parameters
    for name, value in provider.offline_parameters.items():
        if asked.get(name) != value:
            remedy = f"Set {name} to {value} in authorization_parameters."
            return Finding("renewal", False, f"Without {name} there is no refresh token.", remedy)
    return Finding("renewal", True, "What is asked for yields a refresh token.")


def _listed(published: Mapping[str, Any], name: str) -> list[str]:
    """Return the texts of a list; whatever else an issuer publishes there is none."""
    value = published.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
