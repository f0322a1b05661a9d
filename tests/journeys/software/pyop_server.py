"""pyop over wsgiref, which takes its one user for signed in. Prints its port once it listens.

pyop has no issuer without TLS, and nothing to revoke a token with.
"""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from Cryptodome.PublicKey import RSA
from jwkest.jwk import RSAKey
from pyop.authz_state import AuthorizationState
from pyop.exceptions import (
    InvalidAccessToken,
    InvalidAuthorizationCode,
    InvalidClientAuthentication,
    InvalidRefreshToken,
    OAuthError,
)
from pyop.provider import Provider
from pyop.subject_identifier import HashBasedSubjectIdentifierFactory
from pyop.userinfo import Userinfo

USER: Final = {"name": "Jane Doe", "email": "jane@example.com"}
Answer = tuple[str, dict[str, str], Any]


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        pass


def _make_provider(origin: str, given: dict[str, Any]) -> Provider:
    state = AuthorizationState(
        HashBasedSubjectIdentifierFactory("of tests alone"),
        refresh_token_lifetime=86400,
        # A new refresh token with each renewal.
        refresh_token_threshold=86401,
    )
    published = {
        "issuer": origin,
        "authorization_endpoint": f"{origin}/authorize",
        "token_endpoint": f"{origin}/token",
        "userinfo_endpoint": f"{origin}/userinfo",
        "jwks_uri": f"{origin}/jwks",
        "scopes_supported": ["openid", "profile", "email"],
        "response_types_supported": ["code"],
        "token_endpoint_auth_methods_supported": [
            "client_secret_basic",
            "client_secret_post",
            "none",
        ],
    }
    clients = {
        client["client_id"]: {
            **client,
            "redirect_uris": [given["redirect_uri"]],
            "response_types": ["code"],
        }
        for client in given["clients"]
    }
    key = RSAKey(key=RSA.generate(2048), alg="RS256", kid="of-tests", use="sig")
    return Provider(key, published, state, clients, Userinfo({"jane": USER}))


def _perform(provider: Provider, path: str, query: str, body: str, headers: Any) -> Answer:
    if path == "/.well-known/openid-configuration":
        return "200 OK", {}, provider.provider_configuration.to_dict()
    if path == "/jwks":
        return "200 OK", {}, provider.jwks
    if path == "/authorize":
        asked = provider.parse_authentication_request(query)
        location = provider.authorize(asked, "jane").request(asked["redirect_uri"])
        return "302 Found", {"Location": location}, {}
    if path == "/token":
        return "200 OK", {}, provider.handle_token_request(body, headers).to_dict()
    if path == "/forget":
        provider.authz_state.refresh_tokens.clear()
        return "200 OK", {}, {}
    return "200 OK", {}, provider.handle_userinfo_request(body or query, headers).to_dict()


def _refuse(error: Exception) -> Answer:
    kinds = {
        InvalidAccessToken: ("401 Unauthorized", "invalid_token"),
        InvalidClientAuthentication: ("401 Unauthorized", "invalid_client"),
        InvalidAuthorizationCode: ("400 Bad Request", "invalid_grant"),
        InvalidRefreshToken: ("400 Bad Request", "invalid_grant"),
    }
    code = getattr(error, "oauth_error", "invalid_request")
    status, code = kinds.get(type(error), ("400 Bad Request", code))
    return status, {}, {"error": code, "error_description": str(error)}


def _application(provider: Provider) -> Callable[..., Iterable[bytes]]:
    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        authorization = environ.get("HTTP_AUTHORIZATION")
        headers = {"Authorization": authorization} if authorization else {}
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        try:
            status, more, document = _perform(provider, path, query, body, headers)
        except OAuthError as error:
            status, more, document = _refuse(error)
        start_response(status, [("Content-Type", "application/json"), *more.items()])
        return [json.dumps(document).encode()]

    return answer


def main() -> None:
    """Serve until the process is ended."""
    server = WSGIServer(("127.0.0.1", 0), _QuietHandler)
    given = json.loads(sys.argv[1])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(given["certificate"], given["key"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    origin = f"https://localhost:{server.server_port}"
    server.set_app(_application(_make_provider(origin, given)))
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
