"""django-oauth-toolkit, which takes its one user for signed in. Prints its port once it listens."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
urlpatterns: list[Any] = []


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        pass


def sign_in(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Take every caller for the user: a middleware of Django."""

    def answer(request: Any) -> Any:
        from django.contrib.auth.models import User

        request.user = User.objects.get(username="jane")
        return get_response(request)

    return answer


def _configure() -> None:
    key = generate_private_key(65537, 2048)
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
        MIDDLEWARE=["__main__.sign_in"],
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ).decode(),
            "SCOPES": {name: name for name in ("openid", "profile", "email")},
        },
        # Secrets of clients are hashed too, by default for half a second.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF="__main__",
        SECRET_KEY="of tests alone",
        USE_TZ=True,
    )
    django.setup()


def _fill(clients: list[dict[str, str]], redirect_uri: str) -> None:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    User.objects.create(username="jane", email="jane@example.com")
    for client in clients:
        Application.objects.create(
            client_id=client["client_id"],
            client_secret=client.get("client_secret", ""),
            client_type="confidential" if client.get("client_secret") else "public",
            authorization_grant_type="authorization-code",
            redirect_uris=redirect_uri,
            skip_authorization=True,
            algorithm="RS256",
        )


def main() -> None:
    """Serve until the process is ended."""
    given = json.loads(sys.argv[1])
    _configure()
    _fill(given["clients"], given["redirect_uri"])
    from django.core.wsgi import get_wsgi_application
    from django.urls import include, path

    urlpatterns.append(path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")))
    server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=_QuietHandler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
