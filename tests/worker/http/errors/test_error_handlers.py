"""Errors from below and those that nobody foresaw: a problem each, and nothing of the inside."""

from __future__ import annotations

import logging

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from models.db.errors import DatabaseUnreachable
from tests.worker.http.answers import assert_problem
from worker.http.errors.error_handlers import CatchUnexpectedErrors

_SECRET = "hunter2-in-an-exception"


@pytest.fixture
def app(app: FastAPI) -> FastAPI:
    """The application with routes that fail in every way."""

    @app.get("/fail/unforeseen")
    async def unforeseen() -> None:
        raise RuntimeError(_SECRET)

    @app.get("/fail/database")
    async def database() -> None:
        raise DatabaseUnreachable(f"no route to {_SECRET}")

    return app


def test_an_unexpected_error_is_answered_and_logged_without_its_text(
    anonymous: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    # When a request fails with an exception that quotes a secret
    with caplog.at_level(logging.DEBUG):
        answer = anonymous.get("/fail/unforeseen")
    # Then the answer is a problem, and the log says where it was raised
    assert_problem(answer, 500, "internal_error")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "RuntimeError" in caplog.text
    assert "in unforeseen" in caplog.text
    # And neither has the secret, nor the answer a line of the source
    assert _SECRET not in caplog.text + answer.text
    assert "Traceback" not in answer.text
    # And the process serves on
    assert anonymous.get("/health").status_code == 200


def test_a_database_that_is_away_is_a_503_without_its_address(anonymous: httpx.Client) -> None:
    answer = anonymous.get("/fail/database")
    assert_problem(answer, 503, "database_unreachable")
    assert int(answer.headers["Retry-After"]) > 0
    assert _SECRET not in answer.text


@pytest.mark.parametrize("path", ["/v1", "/v2/passwords/hash", "/redoc", "/v1/jobs/a/b"])
def test_what_is_not_there(anonymous: httpx.Client, path: str) -> None:
    assert_problem(anonymous.get(path), 404, "not_found")


def test_a_method_that_is_not_taken_is_answered_with_all_that_are(
    anonymous: httpx.Client, app: FastAPI
) -> None:
    # Given every path with the methods of all its routes
    taken: dict[str, set[str]] = {}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            taken.setdefault(route.path.replace("{", "").replace("}", ""), set()).update(
                route.methods or ()
            )
    # When another method is tried on each
    for path, methods in taken.items():
        answer = anonymous.request("PROPFIND", path)
        # Then the header has them all (RFC 9110 section 15.5.6)
        assert_problem(answer, 405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) >= methods, path
    # And of a method that HTTP has not, it is said so (section 15.6.2)
    assert_problem(anonymous.request("BREW", "/health"), 501, "method_unknown")
    assert anonymous.put("/v1/keys").headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert anonymous.patch("/health").headers["Allow"] == "GET, HEAD, OPTIONS"


def test_a_field_that_is_not_known_is_pointed_at(http: httpx.Client) -> None:
    answer = http.post("/v1/passwords/hash", json={"password": "long enough", "round": 4})
    [fault] = assert_problem(answer, 422, "invalid_request")["errors"]
    assert fault == {
        "pointer": "#/round",
        "code": "extra_forbidden",
        "detail": "There is no field of this name; there are password, scheme, rounds, argon2, "
        "user_inputs.",
    }


def test_a_list_that_is_too_short_is_told_in_our_words(http: httpx.Client) -> None:
    answer = http.post("/v1/keys", json={"name": "shop", "scopes": []})
    [fault] = assert_problem(answer, 422, "invalid_request")["errors"]
    assert (fault["pointer"], fault["detail"]) == ("#/scopes", "Give at least 1 here.")


def test_a_parameter_that_is_not_known_is_named(http: httpx.Client) -> None:
    answer = http.get("/v1/events", params={"king": "renewed"})
    [fault] = assert_problem(answer, 422, "invalid_request")["errors"]
    assert (fault["parameter"], fault["code"]) == ("king", "extra_forbidden")


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b"password=x", b"[" * 30_000, b'{"password": ' + b"1" * 5000 + b"}"]
)
def test_what_is_no_json(http: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = http.post("/v1/passwords/hash", content=body, headers=headers)
    assert_problem(answer, 400, "malformed_json")


def test_what_a_field_holds_is_never_repeated(http: httpx.Client) -> None:
    body = {"password": [_SECRET], "rounds": _SECRET, _SECRET: 1}
    answer = http.post("/v1/passwords/hash", json=body)
    members = assert_problem(answer, 422, "invalid_request")
    assert [(fault["pointer"], fault["code"]) for fault in members["errors"]] == [
        ("#/password", "string_type"),
        ("#/rounds", "int_type"),
        ("#", "extra_forbidden"),
    ]
    assert _SECRET not in answer.text


@pytest.mark.anyio
async def test_an_answer_that_has_begun_is_broken_off() -> None:
    # Given an application that fails halfway
    async def halfway(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        raise RuntimeError

    sent: list[str] = []

    async def send(message: object) -> None:
        sent.append(message["type"])  # type: ignore[index]

    # When it is called, then no second answer follows the first
    await CatchUnexpectedErrors(halfway)({"type": "http"}, None, send)  # type: ignore[arg-type]
    assert sent == ["http.response.start"]
