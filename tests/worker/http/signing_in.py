"""A user who signs in, as an app, a browser and the provider carry it out."""

from __future__ import annotations

from typing import Any

import httpx

from tests.oidc_provider import OidcProvider

#: The name under which tests set the provider up.
HOUSE = "house"


def set_up_house(http: httpx.Client, provider: OidcProvider) -> None:
    """Tell the service of the provider, by its issuer alone."""
    settings = {"issuer": provider.issuer, "client_id": "app", "client_secret": "house-secret"}
    answer = http.put(f"/v1/providers/{HOUSE}", json=settings)
    assert answer.status_code == 201, answer.text


def consented(
    http: httpx.Client, provider: OidcProvider, user: str, **wishes: Any
) -> dict[str, str]:
    """Begin a sign-in and consent to it; return what the browser brings to the callback.

    A subject without `relay` is told to be unbound: the test is app and browser at once.
    """
    unbound = "subject" in wishes and "relay" not in wishes
    begun = http.post(f"/v1/oauth/{HOUSE}/authorize", json={"unbound": unbound, **wishes})
    assert begun.status_code == 200, begun.text
    return provider.consent(begun.json()["authorization_url"], user)


def sign_in(http: httpx.Client, provider: OidcProvider, user: str, **wishes: Any) -> dict[str, Any]:
    """Sign a user in; return the connection."""
    answer = consented(http, provider, user, **wishes)
    finished = http.get("/v1/oauth/callback", params=answer)
    assert finished.status_code == 200, finished.text
    connection: dict[str, Any] = finished.json()
    return connection
