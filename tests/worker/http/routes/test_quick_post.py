"""The fast path and FastAPI's own way give the same answers to every request."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

_COMMON = "application/json"
#: Means the same, and goes FastAPI's way.
_UNCOMMON = {"Content-Type": "Application/JSON"}
_GOOD = {"password": "correct horse battery"}
_HASH = "$2b$10$53cj06FBAR3PaS.6vrK/weMBOhBztGn2h0ux5AvxqVrrDwA.lpwHi"


def _answer(caller: httpx.Client, path: str, content: bytes, **headers: str) -> tuple[Any, ...]:
    url = f"/v1/passwords/{path}"
    answer = caller.post(url, content=content, headers={"Content-Type": _COMMON, **headers})
    members = answer.json()
    for own in ("id", "enqueued_at", "request_id"):
        members.pop(own, None)
    kept = {name for name in answer.headers if name not in ("date", "content-length")}
    return answer.status_code, members, kept


_REQUESTS = [
    ("hash", json.dumps(_GOOD)),
    ("hash", json.dumps({**_GOOD, "rounds": 11})),
    ("hash", json.dumps({**_GOOD, "rounds": 11.0})),
    ("hash", json.dumps({**_GOOD, "rounds": "11"})),
    ("hash", json.dumps({**_GOOD, "rounds": True})),
    ("hash", json.dumps({**_GOOD, "rounds": 99})),
    ("hash", json.dumps({**_GOOD, "unknown": 1})),
    ("hash", json.dumps({"password": None})),
    ("hash", json.dumps({"password": "short"})),
    ("hash", '{"password": "half a pair \\ud800"}'),
    ("hash", '{"password": "correct horse", "password": "battery staple"}'),
    ("hash", "{}"),
    ("hash", "[]"),
    ("hash", "null"),
    ("hash", "{"),
    ("hash", ""),
    ("hash", "[" * 30_000),
    ("hash", f'{{"password": "{"x" * 100_000}"}}'),
    ("check", json.dumps({**_GOOD, "password_hash": _HASH})),
    ("check", json.dumps({**_GOOD, "password_hash": "none"})),
    ("check", json.dumps(_GOOD)),
    ("policy", json.dumps(_GOOD)),
    ("policy", json.dumps({"password": 7})),
]


def test_all_bodies_are_answered_as_fastapi_would(http: httpx.Client) -> None:
    for path, text in _REQUESTS:
        ours = _answer(http, path, text.encode())
        assert ours == _answer(http, path, text.encode(), **_UNCOMMON), text


@pytest.mark.parametrize(
    "headers",
    [
        {"Prefer": "wait=0"},
        {"Prefer": "respond-async, wait=1"},
        {"Idempotency-Key": ""},
        {"Idempotency-Key": "x" * 256},
        {"Authorization": "Bearer none"},
    ],
)
def test_all_headers_are_heeded_as_fastapi_would(
    http: httpx.Client, headers: dict[str, str]
) -> None:
    text = json.dumps(_GOOD).encode()
    ours = _answer(http, "hash", text, **headers)
    assert ours == _answer(http, "hash", text, **headers, **_UNCOMMON)


def test_a_repeat_of_a_common_request_is_one(http: httpx.Client) -> None:
    headers = {"Idempotency-Key": "key"}
    first, second = (
        http.post("/v1/passwords/hash", json=_GOOD, headers=headers).json()["id"] for _ in range(2)
    )
    assert first == second


def test_a_body_in_another_encoding_is_read(http: httpx.Client) -> None:
    assert _answer(http, "hash", json.dumps(_GOOD).encode("utf-16"))[0] == 202
