"""What an issuer publishes about itself (OpenID Connect Discovery 1.0, RFC 8414)."""

from __future__ import annotations

from typing import Any, Final

from actors.errors import ProviderMisbehaved
from actors.providers.transport import get_json

_WELL_KNOWN: Final = "/.well-known/openid-configuration"
#: What is kept of the published metadata.
_KEPT: Final = (
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "revocation_endpoint",
    "jwks_uri",
    "token_endpoint_auth_methods_supported",
    "authorization_response_iss_parameter_supported",
)


def fetch_metadata(issuer: str) -> dict[str, Any]:
    """Return what `issuer` publishes, reduced to what we use.

    Raises:
        ProviderMisbehaved: The document is not JSON, lacks an endpoint, or is another issuer's
            (Discovery section 4.3).
        ProviderUnreachable, AddressForbidden: As `transport.get_json`.
    """
    document = get_json(issuer.rstrip("/") + _WELL_KNOWN)
    if not isinstance(document, dict):
        raise ProviderMisbehaved("The issuer's metadata is not a JSON object.")
    if document.get("issuer") != issuer:
        raise ProviderMisbehaved("The metadata found at the issuer's URL names another issuer.")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not isinstance(document.get(name), str):
            raise ProviderMisbehaved(f"The issuer's metadata has no {name}.")
    return {name: document[name] for name in _KEPT if document.get(name) is not None}
