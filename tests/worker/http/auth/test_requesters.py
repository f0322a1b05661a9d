"""Who asked: the key of a request stands in the events that a worker writes for it."""

from __future__ import annotations

import threading

import httpx
import pytest

from models.db.database import hold_connection
from models.events import TAB_EVENTS
from tests.oidc_provider import OidcProvider
from tests.worker.http.signing_in import HOUSE, consented

_WAIT = {"Prefer": "wait=20"}


def _key(http: httpx.Client) -> tuple[str, dict[str, str]]:
    """Make a key for an app; return its id and the headers to use it with."""
    made = http.post("/v1/keys", json={"name": "shop", "scopes": ["jobs"]}).json()
    return made["id"], {"Authorization": f"Bearer {made['key']}", **_WAIT}


def _refused(caller: httpx.Client, headers: dict[str, str]) -> None:
    """Ask for an exchange that a worker refuses and writes an event of."""
    body = {"code": "c", "state": f"forged:{HOUSE}"}
    answer = caller.post(f"/v1/oauth/{HOUSE}/exchange", json=body, headers=headers)
    assert answer.json()["error"]["code"] == "state_unknown", answer.text


def _asked_by(kind: str) -> list[str | None]:
    with hold_connection():
        found = TAB_EVENTS.select().where(TAB_EVENTS.kind == kind).order_by(TAB_EVENTS.id)
        return [event.key_id for event in found]


def test_a_worker_names_the_key_of_the_request(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    key_id, headers = _key(http)
    # When the same is asked with an app's key and with the administrator's
    _refused(anonymous, headers)
    _refused(http, _WAIT)
    # Then each event names its own
    assert _asked_by("sign_in_refused") == [key_id, "admin"]
    # And a browser, which has no key, is named by none
    assert anonymous.get("/v1/oauth/callback", params=consented(http, house, "jane")).is_success
    assert _asked_by("exchanged") == [None]


@pytest.mark.usefixtures("house")
def test_what_the_shim_writes_itself_names_the_key_too(http: httpx.Client) -> None:
    http.post(f"/v1/oauth/{HOUSE}/authorize", json={})
    assert _asked_by("authorized") == ["admin"]
    assert _asked_by("provider_changed") == ["admin"]


@pytest.mark.usefixtures("house")
def test_requests_at_once_are_not_taken_for_one_another(
    http: httpx.Client, anonymous: httpx.Client
) -> None:
    # Given keys that are used at the same time, over the same connections, often
    keys = [_key(http) for _ in range(4)]

    def ask(headers: dict[str, str]) -> None:
        for _ in range(5):
            _refused(anonymous, headers)
            assert anonymous.get("/v1/oauth/callback?code=c&state=s").status_code == 400

    threads = [threading.Thread(target=ask, args=[headers]) for _, headers in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Then each is named as often as it was used
    asked_by = _asked_by("sign_in_refused")
    assert {key_id: asked_by.count(key_id) for key_id, _ in keys} == {
        key_id: 5 for key_id, _ in keys
    }
