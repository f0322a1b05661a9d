"""Choice of client authentication: what the operator sets, what was learned, what is published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.providers.errors import ProviderNotConfigured


def choose_client_authentication(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a provider that say how its client authenticates.

    Raises:
        ProviderNotConfigured: No method that is published is one of ours.
    """
    method = _choose_method(metadata)
    encoding = metadata.get("client_secret_basic_encoding") or _learned_of(metadata).get(
        "client_secret_basic_encoding", "form"
    )
    is_basic = method == "client_secret_basic"
    return {
        "token_endpoint_auth_method": method,
        "revocation_endpoint_auth_method": _choose_at_revocation(metadata, method),
        "client_secret_basic_encoding": encoding,
        "basic_fallback": _choose_basic_fallback(metadata, encoding) if is_basic else None,
    }


def _learned_of(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings that were learned; those of the operator override them."""
    learned: Mapping[str, Any] = metadata.get("learned") or {}
    return learned


def _choose_method(metadata: Mapping[str, Any]) -> str:
    """Return the configured method, else the learned or the best published one (RFC 8414)."""
    name = "token_endpoint_auth_method"
    chosen = metadata.get(name) or _learned_of(metadata).get(name)
    if chosen:
        return str(chosen)
    supported = _supported_methods(metadata)
    for method in ("client_secret_basic", "client_secret_post", "none"):
        if method in supported:
            return method
    raise ProviderNotConfigured(
        "No client authentication of ours is among token_endpoint_auth_methods_supported: set "
        "token_endpoint_auth_method and what it needs."
    )


def _supported_methods(metadata: Mapping[str, Any]) -> list[str]:
    return metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]


def _choose_at_revocation(metadata: Mapping[str, Any], method: str) -> str | None:
    """Return how a client with a secret has to show it at the revocation endpoint (RFC 8414).

    None where that is as at the token endpoint, or where it cannot be done.
    """
    methods = ("client_secret_basic", "client_secret_post")
    supported = metadata.get("revocation_endpoint_auth_methods_supported") or [method]
    if method in supported or method not in methods:
        return None
    return next((one for one in methods if one in supported), None)


def _choose_basic_fallback(metadata: Mapping[str, Any], encoding: str) -> Mapping[str, str] | None:
    """Return what to try once for a server that reads Basic otherwise than RFC 6749 has it.

    A secret in the body is read alike by all; where that is not published, the other form of
    Basic is left. What the operator has set is not departed from.
    """
    if metadata.get("client_secret_basic_encoding"):
        return None
    is_chosen = bool(metadata.get("token_endpoint_auth_method"))
    if not is_chosen and "client_secret_post" in _supported_methods(metadata):
        return {"token_endpoint_auth_method": "client_secret_post"}
    return {"client_secret_basic_encoding": "raw" if encoding == "form" else "form"}
