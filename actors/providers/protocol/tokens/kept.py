"""Serialized answers of token endpoints: kept as they came, before anything reads them."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import requests

from catfeeder.sealing import Secret


def serialize_answer(response: requests.Response) -> Secret:
    """Return an answer as it came: a line of JSON with status and media type, then the body."""
    media_type = response.headers.get("Content-Type", "")
    return Secret.of(_write_head(response.status_code, media_type) + response.content)


@lru_cache(maxsize=256)
def _write_head(status: int, media_type: str) -> bytes:
    return json.dumps({"status": status, "content_type": media_type}).encode() + b"\n"


def deserialize_answer(answer: Secret) -> requests.Response:
    """Return the answer that was serialized."""
    members, body = _split(answer)
    response = requests.Response()
    response.status_code = members["status"]
    response.headers["Content-Type"] = members["content_type"]
    response._content = body
    return response


def mark_derived(answer: Secret) -> Secret:
    """Return a serialized answer whose access token is a derived one, and not the connection's."""
    members, body = _split(answer)
    return _join({**members, "is_derived": True}, body)


def is_derived(answer: Secret) -> bool:
    """Return whether a serialized answer was marked so."""
    return bool(_split(answer)[0].get("is_derived"))


def _join(members: dict[str, Any], body: bytes) -> Secret:
    return Secret.of(json.dumps(members).encode() + b"\n" + body)


def _split(answer: Secret) -> tuple[dict[str, Any], bytes]:
    head, _, body = answer.reveal_bytes().partition(b"\n")
    return json.loads(head), body
