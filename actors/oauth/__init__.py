"""OAuth 2.0 sign-in; exports `OAuthAuthentication` lazily, as it loads requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.oauth.face import OAuthAuthentication as OAuthAuthentication


def __getattr__(name: str) -> object:
    """Import the class of the original project when it is first asked for (PEP 562)."""
    if name == "OAuthAuthentication":
        from actors.oauth.face import OAuthAuthentication

        return OAuthAuthentication
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
