"""Tokens for a scope, resource or audience over HTTP, derived by a provider that demands each part.

By token exchange (RFC 8693), or by a refresh (RFC 6749 section 6, RFC 8707 section 2.2).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs

import httpx
import pytest

from actors.derived_tokens import by_refresh
from actors.derived_tokens.exchange import exchange_token
from actors.upkeep.cleanup import clean_tokens
from models.db.database import database as the_database
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.derived_tokens import MAX_DERIVED_TOKENS, TAB_DERIVED_TOKENS
from tests.actors.renewals import HOUR, recover_at, refresh_token_of
from tests.actors.sign_ins import configure, event_kinds, now, reread, sign_in
from tests.provider.answers import Answer, json_answer
from tests.provider.grants import Refused
from tests.provider.server import Request
from tests.scripted_provider import ScriptedProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.serving import calling

pytestmark = pytest.mark.usefixtures("worker")
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"
_MAIL: Final = "https://mail.example/api"
_FILES: Final = "https://files.example/"
#: What the sign-ins of these tests name.
_BOTH: Final = [_FILES, _MAIL]
#: What is asked for in a query, by the names of its parts.
_Asked = Mapping[str, Any]


class Strict:
    """A token endpoint that derives tokens from a grant, and refuses all that it does not demand.

    It takes part in everything else as the scripted provider does.
    """

    def __init__(self, provider: ScriptedProvider) -> None:
        self.asked: list[_Asked] = []
        self.lifetime = 600
        self._provider = provider
        self._usual: Callable[[Request], Answer] = provider.paths["/token"]
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        """Answer as RFC 8693 section 2.2 says."""
        form = {name: sorted(values) for name, values in parse_qs(request.body.decode()).items()}
        parts = [name for name in form if name in ("scope", "resource", "audience")]
        target = {name: form.pop(name) for name in parts}
        flat = {name: values[0] for name, values in form.items()}
        is_renewal = target == {"resource": _BOTH} and flat["grant_type"] == "refresh_token"
        if not target or is_renewal or flat["grant_type"] == "authorization_code":
            return self._usual(request)
        try:
            new = self._check(request, flat, target)
        except Refused as refused:
            return json_answer({"error": refused.error}, 400)
        with self._lock:
            self.asked.append(target)
            token = f"derived-{len(self.asked)}"
        members = {"token_type": "Bearer", "expires_in": self.lifetime, "access_token": token}
        return json_answer({**members, **new})

    def _check(self, request: Request, form: dict[str, str], target: _Asked) -> dict[str, Any]:
        grants = self._provider.grants
        if not request.headers.get("authorization", "").startswith("Basic "):
            raise Refused("invalid_client")
        if target.get("resource", [_MAIL])[0] == "https://unknown.example/":
            raise Refused("invalid_target")
        if target.get("scope") == ["admin"]:
            raise Refused("invalid_scope")
        if form["grant_type"] == "refresh_token" and form.keys() == {"grant_type", "refresh_token"}:
            grant = grants.use_refresh_token(form["refresh_token"], self._provider.script.rotation)
            _, new = grants.add_tokens(grant, with_refresh_token=True)
            return {"refresh_token": new}
        token_types = {"subject_token_type": _ACCESS_TOKEN, "requested_token_type": _ACCESS_TOKEN}
        demanded = {"grant_type": _EXCHANGE, "subject_token": form["subject_token"], **token_types}
        if form != demanded:
            raise Refused("invalid_request")
        grants.of_access_token(form["subject_token"])
        return {"issued_token_type": _ACCESS_TOKEN}


@pytest.fixture
def scripted(scripted: ScriptedProvider) -> ScriptedProvider:
    """A provider that the test controls; each of its refresh tokens serves once."""
    scripted.script.rotation = "single_use"
    return scripted


@pytest.fixture
def strict(scripted: ScriptedProvider, way: str, url: str) -> Strict:  # noqa: ARG001
    """The provider, whose token endpoint derives tokens in the way of the test."""
    configure(scripted, grant_types=["authorization_code", *([way] if way else [])])
    strict = Strict(scripted)
    scripted.answer("/token", strict)
    return strict


@pytest.fixture
def way() -> str:
    """The grant type that tokens are derived by."""
    return _EXCHANGE


both_ways = pytest.mark.parametrize(
    "way", [_EXCHANGE, "refresh_token"], ids=["exchange", "refresh"]
)


def _read(http: httpx.Client, connection: TAB_CONNECTIONS, **asked: Any) -> httpx.Response:
    return http.get(f"/v1/connections/{connection.id}/token", params=asked)


def _token(http: httpx.Client, connection: TAB_CONNECTIONS, **asked: Any) -> str:
    answer = _read(http, connection, **asked)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


def _rows() -> list[TAB_DERIVED_TOKENS]:
    with hold_connection():
        return list(TAB_DERIVED_TOKENS.select().order_by(TAB_DERIVED_TOKENS.updated_at))


def _change(**values: Any) -> None:
    with transaction():
        TAB_DERIVED_TOKENS.update(**values).execute()


@both_ways
@pytest.mark.usefixtures("database")  # Each kind decides in its own way which request is first.
def test_a_token_for_a_resource_is_asked_for_once_until_it_is_due(
    http: httpx.Client, scripted: ScriptedProvider, strict: Strict
) -> None:
    # Given a user's connection, whose token is for all that was granted
    connection = sign_in(scripted, subject="user-1", resource=_BOTH).connection
    usual = _token(http, connection)
    # When many ask at once for a token of two resources and a part of the scope
    gate = scripted.hold("/token", times=1)
    asked = {"resource": [_MAIL, _FILES], "scope": "email openid"}
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(_read, http, connection, **asked) for _ in range(5)]
        gate.await_arrival()
        time.sleep(0.2)
        gate.open()
        read = [answer.result().json() for answer in answers]
    # Then the provider is asked once, for exactly that, and they all get its token
    assert strict.asked == [{"resource": [_FILES, _MAIL], "scope": ["email openid"]}]
    assert {one["access_token"] for one in read} == {"derived-1"}, read
    assert read[0]["headers"] == {"Authorization": "Bearer derived-1"}
    assert read[0]["scope"] == "email openid"
    # And so does a request that names the same in another order, and no other
    again = {"resource": [_FILES, _MAIL, _FILES], "scope": "openid email"}
    assert _token(http, connection, **again) == "derived-1"
    assert _token(http, connection, resource=_MAIL) == "derived-2"
    # And the connection has the token that it had, and a refresh token that works
    assert _token(http, connection) == usual
    connection = reread(connection)
    assert (connection.status, connection.scope) == ("active", "openid profile email")
    renewed = http.post(f"/v1/connections/{connection.id}/renew", headers={"Prefer": "wait=20"})
    assert renewed.json()["status"] == "succeeded", renewed.text
    assert scripted.grants.refresh_token_reuses == 0
    # And the trail says what was derived, and for what
    events = http.get("/v1/events", params={"kind": "token_exchanged"}).json()["items"]
    assert [event["detail"] for event in events][-1] == {
        "resource": [_FILES, _MAIL],
        "scope": ["email", "openid"],
    }


def test_a_token_that_is_due_is_asked_for_anew_and_serves_while_that_fails(
    http: httpx.Client, scripted: ScriptedProvider, strict: Strict
) -> None:
    # Given a token for a part of the scope, which is due
    connection = sign_in(scripted, resource=_BOTH).connection
    assert _token(http, connection, scope="email") == "derived-1"
    _change(renew_at=now())
    # When the provider is away, the token in hand serves
    scripted.answer("/token", Answer(503))
    failing = _read(http, connection, scope="email").json()
    assert (failing["access_token"], failing["renewal_failing"]) == ("derived-1", True)
    # And once it is back there is a new one
    scripted.answer("/token", strict)
    _change(retry_at=None)
    answer = _read(http, connection, scope="email").json()
    assert (answer["access_token"], answer["renewal_failing"]) == ("derived-2", False)
    # And without any that has not expired, the failure is the answer
    _change(expires_at=now(), retry_at=None)
    scripted.answer("/token", Answer(503))
    assert_problem(_read(http, connection, scope="email"), 502, "provider_unreachable")


def test_an_audience_is_exchanged_for_after_a_stale_token_was_renewed(
    http: httpx.Client, scripted: ScriptedProvider, strict: Strict
) -> None:
    # Given a connection whose own token has run out
    connection = sign_in(scripted, resource=_BOTH).connection
    with transaction():
        TAB_CONNECTIONS.update(expires_at=now() - HOUR).execute()
    # When a token for a service is asked for, by its name
    token = _token(http, connection, audience=["billing"])
    # Then the one that is exchanged is a new one
    assert (token, strict.asked) == ("derived-1", [{"audience": ["billing"]}])
    grant_types = [one.form["grant_type"] for one in scripted.requests_for("/token")]
    assert grant_types == ["authorization_code", "refresh_token", _EXCHANGE]


_UNKNOWN: Final = {"resource": "https://unknown.example/"}


@pytest.mark.parametrize(
    ("way", "asked", "problem", "sent"),
    [
        (_EXCHANGE, _UNKNOWN, (422, "invalid_target"), 1),
        # Some providers spend the refresh token before they refuse: it is not shown to any.
        ("refresh_token", _UNKNOWN, (422, "invalid_target"), 0),
        ("refresh_token", {"scope": "admin"}, (422, "invalid_scope"), 1),
        (_EXCHANGE, {"resource": "not-a-uri"}, (422, "invalid_target"), 0),
        (_EXCHANGE, {"audience": "line\nbreak"}, (422, "invalid_target"), 0),
        (_EXCHANGE, {"scope": "caf\u00e9"}, (422, "invalid_scope"), 0),
        (_EXCHANGE, {"resources": _MAIL}, (422, "invalid_request"), 0),
        (_EXCHANGE, {"audience": list("abcdefghi")}, (422, "invalid_request"), 0),
    ],
    ids=["exchange", "refresh", "scope", "uri", "line", "letters", "name", "many"],
)
@pytest.mark.usefixtures("strict")
def test_a_target_that_cannot_be_had_is_refused_with_its_reason(
    http: httpx.Client,
    scripted: ScriptedProvider,
    asked: _Asked,
    problem: tuple[int, str],
    sent: int,
) -> None:
    connection = sign_in(scripted, resource=_BOTH).connection
    before = len(scripted.requests_for("/token"))

    assert_problem(_read(http, connection, **asked), *problem)
    # A loop that asks again at once does not reach the provider
    assert_problem(_read(http, connection, **asked), *problem)

    assert len(scripted.requests_for("/token")) - before == sent
    assert event_kinds().count("token_exchange_refused") == sent
    # The connection is as it was, and other targets are served
    assert reread(connection).status == "active"
    assert _token(http, connection, resource=_MAIL) == "derived-1"


@pytest.mark.parametrize(
    ("way", "asked"),
    [("", {"scope": "email"}), ("refresh_token", {"audience": "billing"})],
    ids=["no grant type", "audience by refresh"],
)
@pytest.mark.usefixtures("strict")
def test_what_the_grant_types_do_not_say_is_not_tried(
    http: httpx.Client, scripted: ScriptedProvider, asked: _Asked
) -> None:
    connection = sign_in(scripted, resource=_BOTH).connection

    assert_problem(_read(http, connection, **asked), 409, "token_exchange_not_offered")

    assert len(scripted.requests_for("/token")) == 1


def test_a_derived_token_is_one_apps_alone(
    http: httpx.Client, url: str, scripted: ScriptedProvider, strict: Strict
) -> None:
    # Given an app with a derived token, and another app
    connection = sign_in(scripted, resource=_BOTH).connection
    assert _token(http, connection, resource=_MAIL) == "derived-1"
    assert http.post("/v1/apps", json={"id": "shop"}).status_code == 201
    key = {"name": "n", "app": "shop", "scopes": ["tokens:read"]}
    made = http.post("/v1/keys", json=key).json()["key"]
    # When that asks for the same, then there is no such connection
    with calling(url, headers={"Authorization": f"Bearer {made}"}) as shop:
        assert_problem(_read(shop, connection, resource=_MAIL), 404, "connection_unknown")
        # And of its own to the same account it gets a token of its own
        with transaction():
            TAB_CONNECTIONS.delete().where(TAB_CONNECTIONS.id != connection.id).execute()
        own = http.post(
            "/v1/connections",
            json={
                "provider": "scripted",
                "tokens": {"access_token": scripted.grants._grants[0].access_tokens[0]},
                "profile": {"subject": connection.provider_subject},
            },
            headers={"Catfeeder-App": "shop"},
        ).json()
        read = shop.get(f"/v1/connections/{own['id']}/token", params={"resource": _MAIL})
        assert read.json()["access_token"] == "derived-2", read.text
    assert sorted(row.app for row in _rows()) == ["default", "shop"]
    assert len(strict.asked) == 2


@both_ways
def test_derived_tokens_end_with_their_grant(
    http: httpx.Client, scripted: ScriptedProvider, strict: Strict
) -> None:
    # Given a derived token
    connection = sign_in(scripted, resource=_BOTH).connection
    assert _token(http, connection, resource=_MAIL) == "derived-1"
    # When the user signs in again, then it is of the grant before
    assert sign_in(scripted, resource=_BOTH).connection.id == connection.id
    assert _rows() == []
    assert _token(http, connection, resource=_MAIL) == "derived-2"
    # And one that was asked for before that sign-in, and comes after it, is not stored
    gate = scripted.hold("/token", times=1)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(_read, http, connection, resource=_FILES)
        gate.await_arrival()
        sign_in(scripted, resource=_BOTH)
        gate.open()
        assert late.result().json()["access_token"] == "derived-4", late.result().text
    assert strict.asked[2:] == [{"resource": [_FILES]}] * 2
    # And where only its user can bring the connection back, there is none
    with transaction():
        TAB_CONNECTIONS.update(status="reauthorization_required").execute()
    assert_problem(_read(http, connection, resource=_FILES), 409, "reauthorization_required")
    clean_tokens()
    assert _rows() == []
    # And a disconnect leaves none
    sign_in(scripted, resource=_BOTH)
    assert _token(http, connection, resource=_MAIL) == "derived-5"
    gone = http.delete(f"/v1/connections/{connection.id}", headers={"Prefer": "wait=20"}).json()
    assert gone["result"]["revoked_at_provider"] is True, gone
    assert scripted.requests_for("/revoke")[-1].form["token"] == "derived-5"
    assert _rows() == []
    assert_problem(_read(http, connection, resource=_MAIL), 404, "connection_unknown")


def test_a_connection_has_a_bounded_number_of_derived_tokens(
    http: httpx.Client, scripted: ScriptedProvider, strict: Strict
) -> None:
    connection = sign_in(scripted, resource=_BOTH).connection
    for number in range(MAX_DERIVED_TOKENS + 2):
        _token(http, connection, audience=f"service-{number}")

    # The oldest have made room
    rows = _rows()
    assert len(rows) == MAX_DERIVED_TOKENS
    assert rows[0].asked == {"audience": ["service-2"]}
    # And those that have run out are cleaned up
    _change(expires_at=now() - timedelta(seconds=1))
    clean_tokens()
    assert (_rows(), len(strict.asked)) == ([], MAX_DERIVED_TOKENS + 2)


@pytest.mark.parametrize("way", ["refresh_token"])
def test_a_refresh_for_a_target_that_is_cut_off_loses_no_grant(
    http: httpx.Client, scripted: ScriptedProvider, strict: Strict
) -> None:
    # Given a provider whose refresh tokens serve once, and a request that is killed with its answer
    connection = sign_in(scripted, resource=_BOTH).connection
    spent = refresh_token_of(connection)

    def die(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_refresh, "_end", die)
        with pytest.raises(KeyboardInterrupt):
            exchange_token(connection.id, resource=[_MAIL])
    assert refresh_token_of(connection) == spent
    # When the interrupted renewals are finished
    assert recover_at(now() + HOUR) == 1
    # Then the connection has a token of its own, by the refresh token of that answer
    found = reread(connection)
    assert (found.status, found.version) == ("active", connection.version + 1)
    assert found.scope == connection.scope
    assert scripted.grants.refresh_token_reuses == 0
    assert not _token(http, connection).startswith("derived")
    # And tokens are derived again
    _change(lease_until=None)
    assert _token(http, connection, resource=_MAIL) == f"derived-{len(strict.asked)}"


def test_a_row_that_something_else_has_written_counts_as_none(
    http: httpx.Client, scripted: ScriptedProvider, strict: Strict
) -> None:
    # Given derived tokens for two resources
    connection = sign_in(scripted, resource=_BOTH).connection
    tokens = [_token(http, connection, resource=one) for one in (_MAIL, _FILES)]
    mail, files = (
        next(row for row in _rows() if row.asked["resource"] == [one]) for one in (_MAIL, _FILES)
    )
    # When one takes the place of the other, or is another app's or connection's
    changes: list[tuple[str, object]] = [
        ("access_token", files.access_token),
        ("app", "shop"),
        ("asked", '{"resource": ["https://files.example/"]}'),
        ("connection_id", "other"),
        ("mac", None),
    ]
    mark = the_database.param
    for column, value in changes:
        with transaction():
            text = f"UPDATE derived_tokens SET {column} = {mark} WHERE {TAB_DERIVED_TOKENS.key.column_name} = {mark}"  # noqa: S608, E501
            the_database.execute_sql(text, (value, mail.key))
        # Then it is not served: the provider is asked anew
        tokens.append(_token(http, connection, resource=_MAIL))
    assert tokens == [f"derived-{number}" for number in range(1, 8)]
    assert len(strict.asked) == 7
