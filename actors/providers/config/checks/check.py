"""Provider check: finds mistakes before users meet them, each with its remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from actors.errors import AuthError
from actors.providers.config.checks.offline_access import check_last_grant, check_renewal
from actors.providers.config.checks.published import check_published, check_revocation, read_texts
from actors.providers.config.checks.static import (
    check_settings,
    report_fault,
    report_ok,
    suggest_remedy,
)
from actors.providers.config.discovery import discover_provider
from actors.providers.config.lookup import find_provider, issuer_to_discover, provider_row
from actors.providers.protocol.keys import KeyCache
from actors.providers.protocol.metadata import fetch_document
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.provider_builder import OFFLINE_ACCESS
from actors.telemetry.provider_calls import ProviderCall
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
    if not provider.has_users:
        return
    published: Mapping[str, Any] = {}
    if provider.issuer is not None and "{" not in provider.issuer:
        try:
            with ProviderCall(provider.name, "discovery"):
                published = fetch_document(provider.issuer)
        except AuthError as error:
            yield report_fault("discovery", error.detail, suggest_remedy(error, _CHECK_ISSUER))
        else:
            yield report_ok("discovery", "The issuer publishes its metadata.")
            yield from check_published(provider, published)
    jwks_uri = provider.jwks_uri
    if provider.yields_id_token(provider.scopes) and jwks_uri and "{" not in jwks_uri:
        yield _check_keys(jwks_uri)
    is_published = OFFLINE_ACCESS in read_texts(published, "scopes_supported")
    if provider.has_sign_in:
        yield check_renewal(provider, is_published=is_published)
    yield from check_last_grant(provider)
    yield check_revocation(provider, published)


def _check_keys(jwks_uri: str) -> Finding:
    try:
        KeyCache().keys(jwks_uri)
    except AuthError as error:
        remedy = "Check jwks_uri: without its keys no id_token can be believed."
        return report_fault("keys", error.detail, suggest_remedy(error, remedy))
    return report_ok("keys", "The keys of its id_tokens are published.")
