"""The kind of a body is looked at before the body."""

from __future__ import annotations

import httpx
import pytest

from tests.worker.http.answers import assert_problem

_BODY = b'{"password": "correct horse battery"}'


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "APPLICATION/json ;x",
    ],
)
def test_json_is_read(http: httpx.Client, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    assert http.post("/v1/passwords/hash", content=_BODY, headers=headers).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/jsonx"},
    ],
)
def test_what_is_not_said_to_be_json_is_refused(
    http: httpx.Client, headers: dict[str, str]
) -> None:
    answer = http.post("/v1/passwords/hash", content=_BODY, headers=headers)
    assert_problem(answer, 415, "media_type_unsupported")
    assert answer.headers["Accept"] == "application/json"


def test_a_route_without_a_body_takes_any(http: httpx.Client) -> None:
    headers = {"Content-Type": "text/plain"}
    answer = http.request("DELETE", "/v1/jobs/none", content=b"x", headers=headers)
    assert_problem(answer, 404, "job_expired")
