"""The fast path of the token read: the answers of FastAPI's way, and never a token of before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import peewee
import pytest
from playhouse.pool import PooledDatabase

from catfeeder.sealing import Secret
from models.db.database import database, hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.oidc_provider import OidcProvider
from tests.worker.http.serving import calling, served
from tests.worker.http.signing_in import sign_in
from worker.http.app import create_app
from worker.http.routes.quick_token_read import QuickTokenRead

_Act = Callable[[], None]
_READERS = 8
_WRITES = 30


@pytest.fixture
def long_way(http: httpx.Client) -> Iterator[httpx.Client]:
    """A caller of another web process, which has no fast path."""
    if isinstance(database.obj, PooledDatabase):
        database.obj.close_all()
    app = create_app()
    app.router.routes[:] = [
        route for route in app.router.routes if not isinstance(route, QuickTokenRead)
    ]
    with served(app) as url, calling(url, headers=http.headers) as caller:
        yield caller


def _change(connection_id: str, **values: Any) -> None:
    with hold_connection():
        TAB_CONNECTIONS.update_sealed(values).where(TAB_CONNECTIONS.id == connection_id).execute()


def _show(answer: httpx.Response) -> tuple[Any, ...]:
    names = {name for name in answer.headers if name != "date"}
    text = answer.json() if answer.content else {}
    # Each request has an id of its own.
    text.pop("request_id", None)
    return answer.status_code, text, names, answer.headers["content-type"]


#: What is done to a row, and the status of the answer.
_DAMAGES: dict[str, tuple[int, dict[str, Any]]] = {
    "fresh": (200, {"failures": 0}),
    "other_letters": (200, {"scope": "größe 🐈"}),
    "damaged_seal": (409, {"access_token": b"\x01nonsense"}),
    "subject_of_another_writer": (404, {"subject": "another user"}),
    "profile_of_another_writer": (404, {"profile": {"name": "another"}}),
    "profile_written_in_another_way": (
        200,
        {"profile": peewee.fn.REPLACE(TAB_CONNECTIONS.profile, '": ', '":')},
    ),
    "metadata_of_another_writer": (404, {"metadata": {"a": "b"}}),
    "dead": (409, {"status": "reauthorization_required", "access_token": None, "renew_at": None}),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_plain_read_is_answered_as_fastapi_would(
    http: httpx.Client, long_way: httpx.Client, house: OidcProvider, damage: str
) -> None:
    # Given a connection in a state, and what callers send
    connection_id = sign_in(http, house, "alice")["id"]
    status, changes = _DAMAGES[damage]
    _change(connection_id, **changes)
    path = f"/v1/connections/{connection_id}/token"
    requests: list[tuple[str, str, dict[str, str]]] = [
        ("GET", path, {}),
        ("HEAD", path, {}),
        ("GET", path, {"Authorization": "Bearer wrong"}),
        ("GET", path, {"Authorization": ""}),
        ("GET", path, {"Catfeeder-App": "default"}),
        ("GET", path, {"Catfeeder-App": "unknown"}),
        ("GET", path, {"Host": "evil.example"}),
        ("GET", f"{path}?unknown=1", {}),
        ("GET", "/v1/connections/00000000-0000-4000-8000-000000000000/token", {}),
        ("GET", "/v1/connections/------------------------------------/token", {}),
        ("POST", path, {}),
    ]
    # Then it is answered by that state, and each is alike, whichever way it takes
    for method, target, headers in requests:
        answers = [caller.request(method, target, headers=headers) for caller in (http, long_way)]
        assert _show(answers[0]) == _show(answers[1]), (method, target, headers)
    assert http.get(path).status_code == status
    # And it is counted by the same name
    for caller in (http, long_way):
        assert 'route="/v1/connections/{connection_id}/token"' in caller.get("/metrics").text


@pytest.mark.config(Server_configuration={"gzip_minimum_bytes": 1})
def test_no_answer_with_a_token_is_compressed(http: httpx.Client, house: OidcProvider) -> None:
    connection = sign_in(http, house, "alice")["id"]
    found = {
        path: "Content-Encoding" in http.get(f"/v1/connections/{connection}{path}").headers
        for path in ("/token", "/token?scope=openid", "")
    }
    # However the token is asked for, and what holds none is
    assert found == {"/token": False, "/token?scope=openid": False, "": True}


def test_no_read_is_older_than_what_another_process_has_stored(
    http: httpx.Client, url: str, house: OidcProvider
) -> None:
    # Given readers who ask for a token over and over
    connection_id = sign_in(http, house, "alice")["id"]
    stored, ended, stale = [0], threading.Event(), []

    def seal(number: int) -> bytes | None:
        return TAB_CONNECTIONS.access_token.seal(connection_id, Secret(f"token-{number}"))

    def read_on() -> None:
        with calling(url, headers=http.headers) as caller:
            while not ended.is_set():
                known = stored[0]
                answer = caller.get(f"/v1/connections/{connection_id}/token").json()
                if int(answer["access_token"].partition("-")[2]) < known:
                    stale.append((known, answer))

    _change(connection_id, access_token=seal(0))
    _in_threads(read_on, lambda: _write_on(connection_id, seal, stored), ended)
    # Then none got a token after another one was stored
    assert stale == []
    # And none gets it once the connection is gone
    with hold_connection():
        TAB_CONNECTIONS.erase(connection_id)
    assert http.get(f"/v1/connections/{connection_id}/token").status_code == 404


def _write_on(connection_id: str, seal: Callable[[int], bytes | None], stored: list[int]) -> None:
    """Store token after token, as another process would."""
    for number in range(1, _WRITES):
        _change(connection_id, access_token=seal(number))
        stored[0] = number


def _in_threads(
    read: Callable[[], None], write: Callable[[], None], ended: threading.Event
) -> None:
    readers = [threading.Thread(target=read) for _ in range(_READERS)]
    for reader in readers:
        reader.start()
    try:
        write()
    finally:
        ended.set()
        for reader in readers:
            reader.join()
