"""Whether an issuer that is named somewhere is the provider's own."""

from __future__ import annotations

import re
from typing import Any, Final

from actors.providers.protocol.provider import Provider

#: Stands in Microsoft's issuer for the tenant, whose id is a GUID.
_TENANT: Final = "{tenantid}"
_TENANT_ID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_issuer(provider: Provider, named: Any, tenant: Any) -> bool:
    """Tell whether `named` is the provider's issuer, that of the token's `tenant` where each
    tenant has one.
    """
    expected = provider.issuer
    if expected is not None and _TENANT in expected:
        if not isinstance(tenant, str) or not _TENANT_ID.fullmatch(tenant):
            return False
        expected = expected.replace(_TENANT, tenant)
    return expected is not None and named == expected


def is_issuer_of_answer(provider: Provider, named: str) -> bool:
    """Tell whether an authorization response may be the provider's, where no tenant is known."""
    before, template, after = (provider.issuer or "").partition(_TENANT)
    if not template:
        return named == provider.issuer
    return is_issuer(provider, named, named.removeprefix(before).removesuffix(after))
