"""How a client proves to a scripted provider who it is (RFC 6749 section 2.3)."""

from __future__ import annotations

import base64
from urllib.parse import unquote_plus

from tests.provider.grants import Refused
from tests.provider.server import Request


def check_client(request: Request, method: str, client_id: str, client_secret: str) -> None:
    """Refuse a client that does not authenticate by `method`, or by another one beside it."""
    shown = _shown_by(request)
    expected = (method, client_id, "" if method == "none" else client_secret)
    if shown != expected:
        raise Refused("invalid_client")


def _shown_by(request: Request) -> tuple[str, str, str]:
    authorization = request.headers.get("authorization")
    if authorization is not None:
        if "client_id" in request.form or "client_secret" in request.form:
            # A client must not use more than one method (section 2.3).
            raise Refused("invalid_request")
        scheme, _, text = authorization.partition(" ")
        client_id, _, secret = base64.b64decode(text).decode().partition(":")
        return f"client_secret_{scheme.lower()}", unquote_plus(client_id), unquote_plus(secret)
    method = "client_secret_post" if "client_secret" in request.form else "none"
    return method, request.form.get("client_id", ""), request.form.get("client_secret", "")
