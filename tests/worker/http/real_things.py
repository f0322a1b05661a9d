"""Things that exist, for requests that would else ask for what does not: ids, names, sign-ins."""

from __future__ import annotations

from typing import Final

import httpx

from tests.oidc_provider import OidcProvider
from tests.worker.http.signing_in import HOUSE, consented, sign_in

#: What these erase or change is made anew for each.
_SPENT: Final = {
    "revoke_connection": "connection_id",
    "replace_provider": "provider",
    "change_provider": "provider",
    "remove_provider": "provider",
    "pause_provider": "provider",
    "patch_app": "app",
    "remove_app": "app",
    "revoke_app_queue_key": "app",
    "revoke_key": "key_id",
    "cancel_job": "job_id",
}


class RealThings:
    """Names what exists, by the parameters and fields of the document."""

    def __init__(self, http: httpx.Client, house: OidcProvider) -> None:
        self._http = http
        self._house = house
        self._made = 0
        self._shared = {name: self._make(name) for name in set(_SPENT.values())}
        self._shared["provider"] = HOUSE

    def name(self, operation: str, parameter: str) -> str | None:
        """Return what a parameter of an operation may name; None for one that names nothing."""
        if _SPENT.get(operation) == parameter:
            return self._make(parameter)
        return self._shared.get(parameter)

    def begin_sign_in(self) -> dict[str, str]:
        """Return what the browser of a user who has consented brings along."""
        return consented(self._http, self._house, "ann")

    def _make(self, name: str) -> str:
        self._made += 1
        made: str = getattr(self, f"_make_{name}")(f"made-{self._made}")
        return made

    def _make_connection_id(self, name: str) -> str:
        return str(sign_in(self._http, self._house, name)["id"])

    def _make_provider(self, name: str) -> str:
        settings = {"issuer": self._house.issuer, "client_id": "app", "client_secret": "x"}
        assert self._http.put(f"/v1/providers/{name}", json=settings).is_success
        return name

    def _make_app(self, name: str) -> str:
        assert self._http.post("/v1/apps", json={"id": name, "name": name}).is_success
        return name

    def _make_key_id(self, name: str) -> str:
        made = self._http.post("/v1/keys", json={"name": name, "scopes": ["jobs"]})
        return str(made.json()["id"])

    def _make_job_id(self, name: str) -> str:
        made = self._http.post("/v1/passwords/hash", json={"password": f"{name} and so on"})
        return str(made.json()["id"])
