"""Canaille in memory, which takes its one user for signed in. Prints its port once it listens."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from canaille import create_app
from canaille.app import models
from canaille.app.session import UserSession
from canaille.backends import Backend
from flask import Flask, g


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        pass


def _make_application(origin: str) -> Flask:
    application: Flask = create_app(
        {
            "SECRET_KEY": "of tests alone",
            "SERVER_NAME": origin.removeprefix("http://"),
            "PREFERRED_URL_SCHEME": "http",
            "TESTING": True,
            "CANAILLE": {"DATABASE": "memory", "JAVASCRIPT": False, "HTMX": False},
            "CANAILLE_OIDC": {"REQUIRE_NONCE": False},
        }
    )

    def sign_in() -> None:
        user = Backend.instance.get(models.User, user_name="jane")
        g.session = UserSession(user=user, last_login_datetime=datetime.now(UTC))

    application.before_request(sign_in)
    return application


def _fill(clients: list[dict[str, str]], redirect_uri: str) -> None:
    user = models.User(
        user_name="jane",
        given_name="Jane",
        family_name="Doe",
        formatted_name="Jane Doe",
        emails=["jane@example.com"],
    )
    Backend.instance.save(user)
    for client in clients:
        known = models.Client(
            client_id=client["client_id"],
            client_secret=client.get("client_secret", ""),
            client_name=client["client_id"],
            # In a domain that it trusts, so that no page asks the user.
            client_uri="http://127.0.0.1",
            redirect_uris=[redirect_uri],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            scope=["openid", "profile", "email", "offline_access"],
            token_endpoint_auth_method=client["token_endpoint_auth_method"],
            client_id_issued_at=datetime.now(UTC),
        )
        Backend.instance.save(known)
        # Tokens are meant for the client itself.
        known.audience = [known]
        Backend.instance.save(known)


def main() -> None:
    """Serve until the process is ended."""
    logging.disable()
    given = json.loads(sys.argv[1])
    server = WSGIServer(("127.0.0.1", 0), _QuietHandler)
    application = _make_application(f"http://127.0.0.1:{server.server_port}")
    with application.app_context():
        _fill(given["clients"], given["redirect_uri"])
    server.set_app(application)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
