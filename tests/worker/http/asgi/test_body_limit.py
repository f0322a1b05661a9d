"""The largest body: a byte more is refused, however it is sent."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import httpx
import pytest

from tests.worker.http.answers import assert_problem
from worker.http.asgi.body_limit import MAXIMUM_BODY_BYTES

_JSON = {"Content-Type": "application/json"}
_PATHS = ["/v1/passwords/hash", "/v1/oauth/callback"]


def _body(length: int) -> bytes:
    return b'{"password": "' + b"x" * (length - 16) + b'"}'


def test_the_largest_body_is_read(http: httpx.Client) -> None:
    body = _body(MAXIMUM_BODY_BYTES)
    assert len(body) == 65536
    answer = http.post("/v1/passwords/hash", content=body, headers=_JSON)
    assert_problem(answer, 422, "password_too_long")


@pytest.mark.parametrize("path", _PATHS)
def test_a_larger_one_is_refused(http: httpx.Client, path: str) -> None:
    answer = http.post(path, content=_body(MAXIMUM_BODY_BYTES + 1), headers=_JSON)
    assert_problem(answer, 413, "body_too_large")
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [(_PATHS[0], "application/json"), (_PATHS[1], "application/x-www-form-urlencoded")],
)
def test_a_body_without_a_stated_length_is_refused_while_it_arrives(
    http: httpx.Client, path: str, media_type: str
) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(65):
            yield b"x" * 1024

    answer = http.post(path, content=pieces(), headers={"Content-Type": media_type})
    assert_problem(answer, 413, "body_too_large")


def test_a_large_body_where_none_is_read_does_no_harm(http: httpx.Client) -> None:
    body = b"x" * (MAXIMUM_BODY_BYTES + 1)
    assert_problem(http.request("GET", "/health", content=body), 413, "body_too_large")
    assert http.get("/health").status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate, gzip", "br"])
@pytest.mark.parametrize("path", _PATHS)
def test_a_compressed_body_is_refused_by_name(http: httpx.Client, path: str, coding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    answer = http.post(path, content=gzip.compress(b"{}"), headers=headers)

    assert_problem(answer, 415, "content_coding_unsupported")
    assert answer.headers["Accept-Encoding"] == "identity"


def test_a_body_that_is_said_to_be_plain_is_read(http: httpx.Client) -> None:
    body = {"password": "correct horse battery"}
    headers = {"Content-Encoding": "identity"}

    assert http.post("/v1/passwords/hash", json=body, headers=headers).status_code == 202
    assert http.get("/health", headers={"Content-Encoding": "gzip"}).status_code == 200
