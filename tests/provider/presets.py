"""The scripts of the providers that we have presets for, after what each of them really does."""

from __future__ import annotations

from typing import Any, Final

from tests.provider.script import Script
from tests.scripted_provider import ScriptedProvider

TENANT: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"

_SCRIPTS: Final[dict[str, dict[str, Any]]] = {
    "google": {"client_authentication": "client_secret_post", "requires_pkce": False},
    "facebook": {
        "client_authentication": "client_secret_post",
        "gives_refresh_token": False,
        "expires_in": 5183944,
        "tells_scope": False,
    },
    "github": {
        "client_authentication": "client_secret_post",
        "errors_are_200": True,
        "gives_refresh_token": False,
        "expires_in": None,
        "scope_separator": ",",
        "token_members": {"token_type": "bearer"},
    },
    "microsoft": {
        "client_authentication": "client_secret_post",
        "rotation": "rotating",
        "claims": {"tid": TENANT},
    },
    "linkedin": {
        "client_authentication": "client_secret_post",
        "requires_pkce": False,
        "refuses_pkce": True,
        "gives_refresh_token": False,
        "expires_in": 5183999,
        "claims": {"nonce": None},
    },
    "x": {"rotation": "single_use", "expires_in": 7200},
}


def play(provider: ScriptedProvider, preset: str) -> dict[str, Any]:
    """Make a provider behave as the preset's, and return the settings that lead there."""
    provider.script = Script(shape=preset, **_SCRIPTS[preset])
    settings = {"preset": preset, **provider.credentials(), **provider.addresses()}
    if preset in ("google", "linkedin"):
        settings["issuer"] = provider.issuer
    if preset == "microsoft":
        settings["issuer"] = f"{provider.issuer}/{{tenantid}}/v2.0"
        tenants = f"{provider.issuer}/{TENANT}/v2.0"
        provider.script.claims = {**provider.script.claims, "iss": tenants}
    if preset == "facebook":
        settings["userinfo_endpoint"] += "?fields=id,name,email,picture"
    if preset == "github":
        settings["emails_endpoint"] = f"{provider.issuer}/user/emails"
    return settings
