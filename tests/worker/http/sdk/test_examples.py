"""The examples of sign-ins: apps of Flask, FastAPI and Express before a running service."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from werkzeug.serving import make_server

import examples
from examples import fastapi_sign_in, flask_sign_in
from tests.conftest import ADMIN_API_KEY
from tests.oidc_provider import OidcProvider
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
_ATTRIBUTES = ("Secure", "HttpOnly", "Path=/", "SameSite=Lax")

pytestmark = pytest.mark.config(OAuth={"return_to_origins": [_OWN_URL]})


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
def app_url(request: pytest.FixtureRequest, url: str) -> Iterator[str]:
    """Where the app is served."""
    if request.param == "express":
        with _serve_express(request.getfixturevalue("node_folder"), url) as app_url:
            yield app_url
        return
    package = request.getfixturevalue("catfeeder_http")
    with package.connect(url, ADMIN_API_KEY) as client:
        if request.param == "flask":
            app = flask_sign_in.create_app(client, HOUSE, "a key of the test", _OWN_URL)
            serving = _serve_flask(app)
        else:
            serving = served(fastapi_sign_in.create_app(client, HOUSE, _OWN_URL))
        with serving as app_url:
            yield app_url


@contextmanager
def _serve_express(package: Path, url: str) -> Iterator[str]:
    shutil.copy(Path(examples.__file__).with_name("express_sign_in.mjs"), package)
    script = package / "serve.mjs"
    script.write_text(_SERVE)
    command = ["node", str(script), url, ADMIN_API_KEY, HOUSE, _OWN_URL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


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
    app_url: str, anonymous: httpx.Client, house: OidcProvider
) -> None:
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
    assert attacker.open(came_back).status_code == 400
    # When the user's own does, the session is theirs, and another one than before
    assert user.open(came_back).headers["Location"] == "/"
    assert user.cookie != before
    assert user.open("/").json() == {"user": f"{HOUSE}:alice"}
    assert attacker.open("/").json() == {"user": None}
    # And the same answer is taken once
    assert user.open(came_back).status_code == 400
    # When the user logs out, by POST alone, the session ends
    assert user.open("/logout").status_code == 405
    assert user.open("/logout", "POST").status_code == 303
    assert user.open("/").json() == {"user": None}
