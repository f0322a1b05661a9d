"""A user who signs in with the provider, as an app and a browser carry it out."""

from __future__ import annotations

from typing import Any

from tests.oidc_provider import OidcProvider
from tests.stack.stack import ANONYMOUS, Stack


def sign_in(stack: Stack, provider: OidcProvider, user: str, subject: str) -> dict[str, Any]:
    """Begin as an app, consent as `user`, come back as a browser; return the connection."""
    begun = stack.call(
        "POST", "/v1/oauth/house/authorize", json={"subject": subject, "unbound": True}
    )
    assert begun.status_code == 200, begun.text
    answer = provider.consent(begun.json()["authorization_url"], user)
    assert answer["state"] == begun.json()["state"]
    finished = stack.call("GET", "/v1/oauth/callback/house", params=answer, key=ANONYMOUS)
    assert finished.status_code == 200, finished.text
    connection: dict[str, Any] = finished.json()
    return connection
