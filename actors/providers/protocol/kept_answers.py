"""An answer of a token endpoint in a form that can be kept: whole, as it came, and not yet read."""

from __future__ import annotations

import json
from collections.abc import Callable

import requests

from catfeeder.sealing import Secret

#: Told of each answer the moment it is there, before anybody reads it; must not raise.
Keep = Callable[[Secret], None]


def write_kept(response: requests.Response) -> Secret:
    """Return an answer as text: a line with status and media type, and then the body."""
    media_type = response.headers.get("Content-Type", "")
    head = json.dumps({"status": response.status_code, "content_type": media_type})
    return Secret.of(head.encode() + b"\n" + response.content)


def read_kept(kept: Secret) -> requests.Response:
    """Return the answer that `write_kept` was given."""
    head, _, body = kept.reveal_bytes().partition(b"\n")
    members = json.loads(head)
    response = requests.Response()
    response.status_code = members["status"]
    response.headers["Content-Type"] = members["content_type"]
    response._content = body
    return response
