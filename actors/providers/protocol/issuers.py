"""Issuer identification (RFC 9207): whether a named issuer is the provider's own."""

from __future__ import annotations

import re
from typing import Any, Final

from actors.providers.protocol.provider import Provider

#: Placeholder of the tenant in Microsoft's issuer; the tenant's id is a GUID.
_TENANT: Final = "{tenantid}"
#: An issuer is a URL without a query (OpenID Connect Core section 2).
_URL: Final = re.compile(r"https?://[A-Za-z0-9._~:/%@{}\[\]-]{1,256}")
_TENANT_ID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_issuer(provider: Provider, named: Any, tenant: Any) -> bool:
    """Return whether `named` is the provider's issuer.

    Where each tenant has an issuer of its own, it must be that of the token's `tenant`.
    """
    expected = provider.issuer
    if expected is not None and _TENANT in expected:
        if not isinstance(tenant, str) or not _TENANT_ID.fullmatch(tenant):
            return False
        expected = expected.replace(_TENANT, tenant)
    return expected is not None and named == expected


def is_issuer_of_answer(provider: Provider, named: str) -> bool:
    """Return whether `named`, the `iss` of an authorization response, is of any tenant."""
    before, template, after = (provider.issuer or "").partition(_TENANT)
    if not template:
        return named == provider.issuer
    return is_issuer(provider, named, named.removeprefix(before).removesuffix(after))


def describe_issuers(expected: str | None, named: Any) -> str:
    """Return a sentence that names both issuers, for an operator to compare."""
    wanted = f"the provider's is {expected}" if expected else "that is another provider's"
    found = "no issuer" if named is None else f"the issuer {show_issuer(named)}"
    return f"The answer names {found}, and {wanted} (RFC 9207)."


def show_issuer(named: Any) -> str:
    """Return an issuer that others have named as it may be repeated."""
    is_url = isinstance(named, str) and _URL.fullmatch(named)
    return named if is_url else "(not a URL)"
