"""Issuer identification (RFC 9207): whether a named issuer is the provider's own."""

from __future__ import annotations

import re
from typing import Any, Final

from actors.providers.protocol.provider import Provider

#: Placeholder of the tenant in Microsoft's issuer; the tenant's id is a GUID.
_TENANT: Final = "{tenantid}"
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
