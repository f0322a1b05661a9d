"""Provider check: finds mistakes before users meet them, each with its remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from actors.errors import AuthError
from actors.providers.config.discovery import discover_provider
from actors.providers.config.lookup import find_provider, issuer_to_discover, provider_row
from actors.providers.config.renewal_checks import check_last_grant, check_renewal
from actors.providers.config.static_checks import (
    check_settings,
    report_fault,
    report_ok,
    suggest_remedy,
)
from actors.providers.protocol.keys import KeyCache
from actors.providers.protocol.metadata import fetch_document
from actors.providers.protocol.provider import OFFLINE_ACCESS, Provider
from catfeeder.results import Finding, ProviderCheck

_CHECK_ISSUER: Final = "Check issuer: it is the URL before /.well-known/openid-configuration."


def check_provider(provider: str) -> ProviderCheck:
    """Perform the message `check_provider`: check the settings, then what the issuer publishes.

    Raises:
        ProviderUnknown: There is no such provider.
    """
    findings = list(_discover(provider)) or _check_configured(provider)
    is_ok = all(finding["is_ok"] for finding in findings)
    return {"provider": provider, "is_ok": is_ok, "findings": findings}


def _discover(provider: str) -> Iterator[Finding]:
    """Fetch what the issuer publishes; yield a finding where that fails."""
    issuer = issuer_to_discover(provider_row(provider))
    try:
        if issuer is not None:
            discover_provider(provider)
    except AuthError as error:
        detail = f"What {issuer} publishes cannot be had. {error.detail}"
        yield report_fault("configuration", detail, suggest_remedy(error, _CHECK_ISSUER))


def _check_configured(provider: str) -> list[Finding]:
    try:
        return list(_check(find_provider(provider)))
    except AuthError as error:
        remedy = f"Correct the settings by PATCH /v1/providers/{provider}, or its variables."
        return [report_fault("configuration", error.detail, remedy)]


def _check(provider: Provider) -> Iterator[Finding]:
    yield from check_settings(provider)
    published: Mapping[str, Any] = {}
    if provider.issuer is not None and "{" not in provider.issuer:
        try:
            published = fetch_document(provider.issuer)
        except AuthError as error:
            yield report_fault("discovery", error.detail, suggest_remedy(error, _CHECK_ISSUER))
        else:
            yield report_ok("discovery", "The issuer publishes its metadata.")
            yield _check_client_authentication(provider, published)
            yield _check_pkce(provider, published)
    if provider.yields_id_token(provider.scopes) and provider.jwks_uri is not None:
        yield _check_keys(provider.jwks_uri)
    is_published = OFFLINE_ACCESS in _read_texts(published, "scopes_supported")
    yield check_renewal(provider, is_published=is_published)
    yield from check_last_grant(provider)


def _check_keys(jwks_uri: str) -> Finding:
    try:
        KeyCache().keys(jwks_uri)
    except AuthError as error:
        remedy = "Check jwks_uri: without its keys no id_token can be believed."
        return report_fault("keys", error.detail, suggest_remedy(error, remedy))
    return report_ok("keys", "The keys of its id_tokens are published.")


def _check_client_authentication(provider: Provider, published: Mapping[str, Any]) -> Finding:
    method = provider.token_endpoint_auth_method
    supported = _read_texts(published, "token_endpoint_auth_methods_supported")
    # Where nothing is published, the standard says Basic (RFC 8414 section 2).
    supported = supported or ["client_secret_basic"]
    if method not in supported:
        remedy = f"Set token_endpoint_auth_method to one of {', '.join(supported)}."
        return report_fault("client_authentication", f"{method} is not published.", remedy)
    return report_ok("client_authentication", f"{method} is published.")


def _check_pkce(provider: Provider, published: Mapping[str, Any]) -> Finding:
    supported = _read_texts(published, "code_challenge_methods_supported")
    if not provider.uses_pkce and "S256" in supported:
        remedy = 'Set code_challenge_method to "S256".'
        return report_fault("pkce", "The provider supports PKCE and it is off.", remedy)
    if provider.uses_pkce and supported and "S256" not in supported:
        remedy = 'Set code_challenge_method to "none" if sign-ins fail.'
        return report_fault("pkce", "The provider does not publish S256.", remedy)
    return report_ok("pkce", "PKCE is used as the provider publishes it.")


def _read_texts(published: Mapping[str, Any], name: str) -> list[str]:
    """Return the texts of a published list; members of another type are ignored."""
    value = published.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
