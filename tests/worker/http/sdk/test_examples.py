"""The examples of sign-ins: apps of Flask, FastAPI and Express before a running service."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from werkzeug.serving import make_server

import examples
from tests.conftest import ADMIN_API_KEY
from tests.oidc_provider import OidcProvider
from tests.ports import free_port
from tests.worker.http.serving import served
from tests.worker.http.signing_in import HOUSE

_OWN_URL = "https://app.example.com"
_SERVE = """
import { connect } from "catfeeder-http";
import { createApp } from "./express_sign_in.mjs";
const [url, key, provider, ownUrl] = process.argv.slice(2);
const app = createApp(connect(url, key), provider, "a key of the test", ownUrl);
const server = app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
"""
_FLOOD = """
import { Sessions } from "./express_sign_in.mjs";
const sessions = new Sessions();
sessions.set("a user's", { user: "house:alice" });
for (let number = 0; number < 20_000; number += 1) sessions.set(`${number}`, { state: "x" });
sessions.get("a user's", (_, kept) => console.log(JSON.stringify([kept, sessions.visitors.size])));
"""
_ATTRIBUTES = ("Secure", "HttpOnly", "Path=/", "SameSite=Lax")

pytestmark = pytest.mark.config(OAuth={"return_to_origins": [_OWN_URL]})


_ServeApp = Callable[[str], AbstractContextManager[str]]


class _Browser:
    """A user's browser, whose Secure cookie is kept by hand: the test's HTTP has no TLS."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.cookie = ""

    def open(self, path: str, method: str = "GET") -> httpx.Response:
        """Return what an app answers; keep the cookie that comes."""
        headers = {"X-Forwarded-Proto": "https", "Cookie": self.cookie}
        answer = httpx.request(method, self._url + path, headers=headers)
        set_cookie = answer.headers.get("Set-Cookie")
        if set_cookie:
            assert all(re.search(one, set_cookie, re.IGNORECASE) for one in _ATTRIBUTES)
            self.cookie = set_cookie.partition(";")[0]
        return answer


@pytest.fixture(params=["flask", "fastapi", "express"])
def serve_app(request: pytest.FixtureRequest) -> _ServeApp:
    """Serve the app before a service at an URL, and return where."""
    if request.param == "express":
        return partial(_serve_express, request.getfixturevalue("node_folder"))
    package = request.getfixturevalue("catfeeder_http")
    serve = {"flask": _serve_flask, "fastapi": served}[request.param]
    module = importlib.import_module(f"examples.{request.param}_sign_in")

    @contextmanager
    def serve_python(url: str) -> Iterator[str]:
        with (
            package.connect(url, ADMIN_API_KEY) as client,
            serve(module.create_app(client, HOUSE, "a key of the test", _OWN_URL)) as app_url,
        ):
            yield app_url

    return serve_python


@contextmanager
def _serve_express(package: Path, url: str) -> Iterator[str]:
    command = _write_script(package, _SERVE)
    with subprocess.Popen(
        [*command, url, ADMIN_API_KEY, HOUSE, _OWN_URL], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def _write_script(package: Path, text: str) -> list[str]:
    shutil.copy(Path(examples.__file__).with_name("express_sign_in.mjs"), package)
    script = package / "script.mjs"
    script.write_text(text)
    return ["node", str(script)]


@contextmanager
def _serve_flask(app: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_user_signs_in_and_out_and_no_other_browser_does(
    serve_app: _ServeApp, url: str, anonymous: httpx.Client, house: OidcProvider
) -> None:
    with serve_app(url) as app_url:
        user, attacker = _Browser(app_url), _Browser(app_url)
        # Given a sign-in that a user has begun and consented to
        begun = user.open("/login")
        before = user.cookie
        answer = house.consent(begun.headers["Location"], "alice")
        relayed = anonymous.get("/v1/oauth/callback", params=answer).headers["Location"]
        came_back = f"/signed-in?{urlsplit(relayed).query}"
        # When another browser brings its answer, it is refused
        assert attacker.open(came_back).status_code == 400
        attacker.open("/login")
        assert attacker.open(came_back).json() == {"code": "state_mismatch"}
        # When the user's own does, the session is theirs, and another one than before
        assert user.open(came_back).headers["Location"] == "/"
        assert user.cookie != before
        assert user.open("/").json() == {"user": f"{HOUSE}:alice"}
        assert attacker.open("/").json() == {"user": None}
        # And the same answer is taken once, and leaves the user signed in
        assert user.open(came_back).status_code == 400
        assert user.open("/").json() == {"user": f"{HOUSE}:alice"}
        # When the user logs out, by POST alone, the session ends, and so do copies of its cookie
        attacker.cookie = user.cookie
        assert user.open("/logout").status_code == 405
        assert attacker.open("/").json() == {"user": f"{HOUSE}:alice"}
        assert user.open("/logout", "POST").status_code == 303
        assert user.open("/").json() == attacker.open("/").json() == {"user": None}


def test_a_service_that_is_away_is_said_to_be(serve_app: _ServeApp) -> None:
    with serve_app(f"http://127.0.0.1:{free_port()}") as app_url:
        answer = _Browser(app_url).open("/login")
    assert (answer.status_code, answer.json()) == (503, {"code": "service_unreachable"})


def test_sign_ins_that_are_only_begun_end_no_session_of_express(node_folder: Path) -> None:
    command = _write_script(node_folder, _FLOOD)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == [{"user": "house:alice"}, 10_000]
