"""idpyoidc over wsgiref; its one user is signed in. Prints its port once it listens."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration
from idpyoidc.server.exception import InvalidClient, UnAuthorizedClient, UnknownClient
from idpyoidc.server.user_info import UserInfo

USER: Final = {"name": "Jane Doe", "email": "jane@example.com"}
#: Where it takes a client without a secret, it takes every client so.
METHODS: Final = ["client_secret_basic", "client_secret_post"]
SCOPES: Final = ["openid", "profile", "email", "offline_access"]
#: Each endpoint's path, class and further settings.
ENDPOINTS: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "provider_config": (
        ".well-known/openid-configuration",
        "oidc.provider_config.ProviderConfiguration",
        {"client_authn_method": None},
    ),
    "authorization": (
        "authorization",
        "oidc.authorization.Authorization",
        {"client_authn_method": None, "response_types_supported": ["code"]},
    ),
    "token": (
        "token",
        "oidc.token.Token",
        {"client_authn_method": METHODS, "revoke_refresh_on_issue": True},
    ),
    "userinfo": ("userinfo", "oidc.userinfo.UserInfo", {"client_authn_method": ["bearer_header"]}),
    "token_revocation": (
        "revocation",
        "oauth2.token_revocation.TokenRevocation",
        {"client_authn_method": METHODS},
    ),
}
KEYS: Final = [{"type": "RSA", "use": ["sig"]}, {"type": "EC", "crv": "P-256", "use": ["sig"]}]
SECRET_KEYS: Final = {
    "key_defs": [
        {"type": "OCT", "bytes": 24, "use": [use], "kid": kid}
        for use, kid in (("enc", "code"), ("enc", "refresh"))
    ],
    "read_only": False,
}


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        pass


def _settings(origin: str) -> dict[str, Any]:
    token = "idpyoidc.server.token.jwt_token.JWTToken"
    no_user_interface = "idpyoidc.server.user_authn.user.NoAuthn"
    return {
        "issuer": origin,
        "httpc_params": {"verify": False, "timeout": 4},
        "preference": {"subject_types_supported": ["public"], "scopes_supported": SCOPES},
        "key_conf": {"key_defs": KEYS, "uri_path": "jwks.json"},
        "endpoint": {
            name: {"path": path, "class": f"idpyoidc.server.{kind}", "kwargs": more}
            for name, (path, kind, more) in ENDPOINTS.items()
        },
        "authentication": {
            "anon": {
                "acr": "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
                "class": no_user_interface,
                "kwargs": {"user": "jane"},
            }
        },
        "userinfo": {"class": UserInfo, "kwargs": {"db": {"jane": USER}}},
        "token_handler_args": {
            "key_conf": SECRET_KEYS,
            "code": {"lifetime": 600},
            "token": {"class": token, "kwargs": {"lifetime": 3600, "aud": [origin]}},
            "refresh": {"class": token, "kwargs": {"lifetime": 86400, "aud": [origin]}},
            "id_token": {"class": "idpyoidc.server.token.id_token.IDToken", "kwargs": {}},
        },
    }


def _make_server(origin: str, given: dict[str, Any], folder: str) -> Server:
    server = Server(OPConfiguration(_settings(origin), base_path=folder), cwd=folder)
    for client in given["clients"]:
        server.context.cdb[client["client_id"]] = {
            **client,
            "redirect_uris": [(given["redirect_uri"], {})],
            "response_types_supported": ["code"],
            "allowed_scopes": SCOPES,
        }
        if "client_secret" in client:
            server.keyjar.add_symmetric(client["client_id"], client["client_secret"])
    return server


def _perform(server: Server, name: str, request: str, headers: dict[str, str]) -> dict[str, Any]:
    endpoint = server.endpoint[name]
    http_info = {"headers": headers}
    parsed = endpoint.parse_request(request, http_info=http_info)
    outcome = parsed if "error" in parsed else endpoint.process_request(parsed, http_info=http_info)
    if "error" in outcome:
        return {"response": json.dumps(dict(outcome.items()))}
    return dict(endpoint.do_response(request=parsed, **outcome))


def _status_of(name: str, document: str) -> HTTPStatus:
    if '"error"' not in document:
        return HTTPStatus.OK
    is_client = "invalid_client" in document
    return HTTPStatus.UNAUTHORIZED if is_client or name == "userinfo" else HTTPStatus.BAD_REQUEST


def _answer(
    server: Server, path: str, request: str, headers: dict[str, str]
) -> tuple[HTTPStatus, list[tuple[str, str]], str]:
    if path == "jwks.json":
        return HTTPStatus.OK, [], server.keyjar.export_jwks_as_json()
    name = next((name for name, known in ENDPOINTS.items() if known[0] == path), None)
    if name is None:
        return HTTPStatus.NOT_FOUND, [], ""
    try:
        told = _perform(server, name, request, headers)
    except (InvalidClient, UnknownClient, UnAuthorizedClient, ValueError) as error:
        # As its example has it.
        told = {"error": "unauthorized_client", "error_description": str(error)}
        return HTTPStatus.BAD_REQUEST, [], json.dumps(told)
    document = str(told.get("response", ""))
    if told.get("response_placement") == "url" or name == "authorization":
        return HTTPStatus.FOUND, [("Location", document)], ""
    return _status_of(name, document), told.get("http_headers", []), document


def _application(server: Server) -> Callable[..., Iterable[bytes]]:
    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        authorization = environ.get("HTTP_AUTHORIZATION")
        headers = {"authorization": authorization} if authorization else {}
        request = body or environ.get("QUERY_STRING", "")
        path = environ["PATH_INFO"].lstrip("/")
        status, more, document = _answer(server, path, request, headers)
        start_response(f"{status.value} {status.phrase}", more)
        return [document.encode()]

    return answer


def main() -> None:
    """Serve until the process is ended."""
    http = WSGIServer(("127.0.0.1", 0), _QuietHandler)
    origin = f"http://127.0.0.1:{http.server_port}"
    with tempfile.TemporaryDirectory() as folder:
        http.set_app(_application(_make_server(origin, json.loads(sys.argv[1]), folder)))
        print(http.server_port, flush=True)
        http.serve_forever()


if __name__ == "__main__":
    main()
