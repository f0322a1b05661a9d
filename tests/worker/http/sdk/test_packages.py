"""The packages of the SDK against a running service: an app of Python, and the same one of Node."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

import catfeeder
from actors.events.webhooks import export_webhook_key, sign_delivery
from catfeeder.clock import utc_now
from tests.conftest import ADMIN_API_KEY
from tests.oidc_provider import OidcProvider
from tests.worker.http.signing_in import HOUSE

_APP = "https://app.example.com"
_RETURN_TO = f"{_APP}/signed-in"
_BODY = b'{"id": 7, "kind": "exchanged"}'
_PASSWORD = "correct horse battery staple"
#: Of the password above, by another library and with $2y$.
_OLD_HASH = "$2y$04$0ObZKQLBTEoWZ4yY7LZcGOhY1KyR4Ycwy.BmoLODKnGkh1lpE4U2a"
_SECONDS = 60
_CONNECT = """
import { connect } from "catfeeder-http";
try { connect("http://127.0.0.1:9", process.argv[1]); }
catch (error) { console.log(error.code, error.message); }
"""
_PROGRAM = """
import catfeeder_http
from catfeeder_http.api.queues import replay_dead_letters
from catfeeder_http.models import Letters, QueueName

with catfeeder_http.connect("http://127.0.0.1:5000", "key") as client:
    stored: str = client.hash_password("password").password_hash
    print(client.login("password", stored).valid)
    print(replay_dead_letters.sync(QueueName.OAUTH, client=client, body=Letters()))
"""

pytestmark = pytest.mark.config(OAuth={"return_to_origins": [_APP]})


class _LoseFirstAnswer(httpx.HTTPTransport):
    """Lets the first request reach the service, and loses its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        self.sent += 1
        if self.sent == 1:
            response.read()
            raise httpx.ReadError("the answer was lost", request=request)
        return response


@pytest.fixture
def service(catfeeder_http: Any, url: str) -> Iterator[Any]:
    """A client of the running service."""
    client = catfeeder_http.connect(url, ADMIN_API_KEY)
    yield client
    client.get_httpx_client().close()


def test_packages_name_all_that_they_need(python_folder: Path, node_folder: Path) -> None:
    # Given the packages as they are installed
    (metadata,) = python_folder.glob("*.dist-info/METADATA")
    needed = set(re.findall(r"^Requires-Dist: (\w+)", metadata.read_text(), re.MULTILINE))
    modules = (python_folder / "catfeeder_http").rglob("*.py")
    text = "\n".join(module.read_text() for module in modules)
    imported = set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE))
    # Then each names what it imports, has its types, its licence and a page that tells its use
    assert imported - sys.stdlib_module_names == needed
    package = node_folder / "node_modules" / "catfeeder-http"
    there = {file.name for file in package.iterdir()}
    assert there == {"lib", "LICENSE", "README.md", "package.json"}
    for file in (package / "lib" / "index.d.ts", python_folder / "catfeeder_http" / "py.typed"):
        assert file.exists()
    assert (metadata.parent / "licenses" / "LICENSE").exists()
    for manifest in (metadata, package / "package.json"):
        assert catfeeder.__version__ in manifest.read_text()


def test_the_package_for_python_is_typed_strictly(python_folder: Path, tmp_path: Path) -> None:
    # Given an app of a type checker's strictest settings, which looks into the package as well
    app = tmp_path / "app.py"
    app.write_text(_PROGRAM)
    environment = {**os.environ, "MYPYPATH": str(python_folder)}
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=", "--strict", "--no-incremental", str(app)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    # Then it finds no fault in either
    assert checked.stdout.startswith("Success"), checked.stdout + checked.stderr


def _go_round(anonymous: httpx.Client, house: OidcProvider, begun: Any) -> dict[str, str]:
    """Consent as the user's browser does, and return the query that comes to `return_to`."""
    answer = house.consent(begun.authorization_url, "alice")
    relayed = anonymous.get("/v1/oauth/callback", params=answer)
    assert relayed.headers["Location"].startswith(_RETURN_TO)
    return dict(parse_qsl(urlsplit(relayed.headers["Location"]).query))


#: What an app calls, and the verb for asyncio in its place.
_CALLS = {"plain": "", "asyncio": "_async"}


@pytest.mark.parametrize("suffix", list(_CALLS.values()), ids=list(_CALLS))
def test_python_signs_up_and_in(
    catfeeder_http: Any, service: Any, anonymous: httpx.Client, house: OidcProvider, suffix: str
) -> None:
    with asyncio.Runner() as runner:

        def call(verb: str, *arguments: Any, **options: Any) -> Any:
            came = getattr(service, verb + suffix)(*arguments, **options)
            return runner.run(came) if suffix else came

        # Given a password that was hashed at sign-up, and would have been taken
        assert call("check_policy", _PASSWORD, user_inputs=["Tabby"]).acceptable
        stored = call("hash_password", _PASSWORD, user_inputs=["Tabby"]).password_hash
        # Then the right one is right at login, and no other
        assert call("check_password", _PASSWORD, stored).valid
        assert not call("check_password", "wrong", stored, rehash=False).valid
        # And a sign-in by relay ends in the session that began it alone
        begun = call("begin_sign_in", HOUSE, _RETURN_TO, subject="user-1")
        query = _go_round(anonymous, house, begun)
        for stranger in ("another:house", None):
            with pytest.raises(catfeeder_http.StateMismatch):
                call("finish_sign_in", query, stranger)
        connection = call("finish_sign_in", query, begun.state)
        assert (connection.subject, connection.profile.subject) == ("user-1", "alice")
        token = call("read_connection_token", connection.id)
        assert token.headers["Authorization"] == f"Bearer {token.access_token}"
        runner.run(service.get_async_httpx_client().aclose())
    # And nothing that was secret shows
    models = importlib.import_module("catfeeder_http.models")
    shown = repr([service, begun, token, models.HashPassword(_PASSWORD)])
    secrets = ADMIN_API_KEY, begun.state, token.access_token, _PASSWORD
    assert not [secret for secret in secrets if secret in shown]


def test_python_has_each_verb_twice_and_each_option_by_its_name(catfeeder_http: Any) -> None:
    # Given the verbs, and what they send
    service, models, options = (
        importlib.import_module(f"catfeeder_http.{name}")
        for name in ("service", "models", "options")
    )
    verbs = {
        name: getattr(catfeeder_http.CatFeeder, name)
        for name in vars(catfeeder_http.CatFeeder)
        if not name.startswith("_")
    }
    # Then each is there for asyncio too, with the same parameters
    for name, verb in verbs.items():
        twin = verbs[name.removesuffix("_async") if name.endswith("_async") else f"{name}_async"]
        assert inspect.signature(verb) == inspect.signature(twin)
    # And no option is missing, or is there that the service does not know
    query = inspect.signature(service.read_connection_token.sync).parameters
    for known, given, named in (
        (_list_fields(models.HashPassword), {"password"}, options.HashOptions),
        (
            _list_fields(models.CheckPassword),
            {"password", "password_hash", "rehash"},
            options.CheckOptions,
        ),
        (_list_fields(models.PolicyPassword), {"password"}, options.PolicyOptions),
        (_list_fields(models.Authorize), {"relay", "return_to"}, options.SignInOptions),
        (set(query), {"connection_id", "client", "catfeeder_app"}, options.TokenOptions),
    ):
        assert known - given == set(named.__annotations__)
    with pytest.raises(TypeError):
        catfeeder_http.connect("http://127.0.0.1:9", "key").hash_password("x", round=10)


def _list_fields(model: Any) -> set[str]:
    return set(inspect.signature(model).parameters)


@pytest.mark.usefixtures("worker")
@pytest.mark.config(Passwords={"policy": True})
def test_python_logs_in_and_says_what_to_store(catfeeder_http: Any, service: Any) -> None:
    # Given a user's hash of other software, when logins are tried, one after the other or not
    tries = [(_PASSWORD, _OLD_HASH), ("wrong", _OLD_HASH), ("wrong", None)]

    async def try_all() -> list[Any]:
        async with service.get_async_httpx_client():
            return await asyncio.gather(*(service.login_async(*each) for each in tries))

    for logins in ([service.login(*each) for each in tries], asyncio.run(try_all())):
        # Then the right one brings a new hash, and others and an unknown user's bring none
        right, *wrong = logins
        assert right
        assert right.new_hash.startswith("$2b$04$")
        assert right.new_hash not in repr(right)
        assert wrong == [catfeeder_http.Login(False)] * 2
        # And the new one is right the next time, and stays
        assert service.login(_PASSWORD, right.new_hash) == catfeeder_http.Login(True)
    renewed = service.login(_PASSWORD, _OLD_HASH, scheme="argon2id").new_hash
    assert renewed.startswith("$argon2id$")
    # And what the policy says of a new password comes as a verdict, or as an error
    known = {"user_inputs": ["Tabby"]}
    [reason] = service.check_policy("Tabby2026!", **known).reasons
    with pytest.raises(catfeeder_http.ProblemAnswered) as refused:
        service.hash_password("Tabby2026!", **known)
    assert reason.code == refused.value.code == "password_too_easy"


@pytest.mark.usefixtures("worker")
def test_python_asks_again_for_one_job(service: Any, http: httpx.Client) -> None:
    retries = importlib.import_module("catfeeder_http.retries")
    lossy = _LoseFirstAnswer()
    transport = retries.RetryingTransport(retries.Patience(), lossy)
    # Given an answer that is lost on its way
    service.set_httpx_client(
        httpx.Client(
            base_url=str(http.base_url),
            headers={"Authorization": f"Bearer {ADMIN_API_KEY}"},
            transport=transport,
        )
    )
    # When the client asks again by itself
    assert service.hash_password(_PASSWORD).password_hash
    # Then the service has one job
    assert lossy.sent == 2
    assert len(http.get("/v1/jobs").json()["items"]) == 1


@pytest.mark.usefixtures("worker")
def test_python_raises_what_the_service_answers(catfeeder_http: Any, service: Any) -> None:
    with pytest.raises(catfeeder_http.ProblemAnswered) as refused:
        service.read_connection_token("none")
    assert (refused.value.status, refused.value.code) == (404, "connection_unknown")
    with pytest.raises(catfeeder_http.ProblemAnswered) as blank:
        service.hash_password("")
    assert (blank.value.code, blank.value.permanent) == ("password_blank", True)
    away = catfeeder_http.connect("http://127.0.0.1:9", ADMIN_API_KEY, patience=_no_patience())
    with pytest.raises(catfeeder_http.ServiceUnreachable) as unreachable:
        away.read_connection_token("none")
    assert ADMIN_API_KEY not in str(unreachable.value)


@pytest.mark.parametrize("key", ["secret\n", "", "sec ret", "secr\u00e9t"], ids=ascii)
def test_a_key_that_is_none_is_refused_and_not_shown(
    catfeeder_http: Any, node_folder: Path, key: str
) -> None:
    with pytest.raises(catfeeder_http.InvalidApiKey) as refused:
        catfeeder_http.connect("http://127.0.0.1:9", key)
    command = ["node", "--input-type=module", "--eval", _CONNECT, key]
    told = subprocess.run(command, cwd=node_folder, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == f"invalid_api_key {refused.value}"
    assert not re.search("sec ?r", str(refused.value))


def _no_patience() -> Any:
    return importlib.import_module("catfeeder_http.retries").Patience(attempts=1)


def test_python_takes_our_webhooks_alone(catfeeder_http: Any, tables: object) -> None:
    assert tables
    headers, key = sign_delivery("7", _BODY, utc_now()), export_webhook_key()
    assert catfeeder_http.verify_webhook(headers, _BODY, key)["kind"] == "exchanged"
    for body, later in ((_BODY + b" ", 0), (_BODY, 301), (_BODY, -301)):
        moment = utc_now().timestamp() + later
        with pytest.raises(catfeeder_http.WebhookNotOurs):
            catfeeder_http.verify_webhook(headers, body, key, now=moment)
    with pytest.raises(catfeeder_http.WebhookNotOurs):
        catfeeder_http.verify_webhook({**headers, "webhook-timestamp": "9" * 5000}, _BODY, key)


def test_node_does_the_same(
    node_folder: Path, http: httpx.Client, url: str, house: OidcProvider
) -> None:
    assert house
    webhook = {
        "headers": sign_delivery("7", _BODY, utc_now()),
        "body": _BODY.decode(),
        "key": export_webhook_key(),
    }
    script = shutil.copy(Path(__file__).with_name("journey.mjs"), node_folder)
    arguments = [url, ADMIN_API_KEY, _RETURN_TO, json.dumps(webhook), _OLD_HASH]
    done = subprocess.run(
        ["node", script, *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "check": [{"valid": True, "needs_rehash": False}, {"valid": False, "needs_rehash": False}],
        "login": [True, "$2b$04$", {"valid": False}, {"valid": False}, "$argon2id$v=19"],
        "policy": True,
        "sent": 2,
        "stranger": True,
        "subject": "user-1",
        "token": True,
        "event": "exchanged",
        "forged": True,
        "refused": [True, 404, "connection_unknown", False],
    }
    hashed = http.get("/v1/jobs", params={"actor": "hash_password"}).json()["items"]
    assert len(hashed) == 2
