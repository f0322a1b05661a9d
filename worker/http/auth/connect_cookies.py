"""Cookies of connect sessions: each binds one page to the browser that has opened its link."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from catfeeder.sealing import Secret
from config import Settings
from models.oauth.connect_sessions import name_session

_NAME: Final = "catfeeder-connect-"
_NAME_DIGITS: Final = 16
_RANDOM_BYTES: Final = 32
#: Beyond so many the earlier ones are deleted, lest they swell all requests of the browser.
_MAX_SESSIONS: Final = 8


class ConnectCookies:
    """Sets and reads the cookies, one for each session."""

    def __init__(self, settings: Settings) -> None:
        """Derive `Secure` from the redirect URI: by that address browsers come."""
        self._is_secure = urlsplit(settings.redirect_uri).scheme == "https"
        # With this prefix no other host below the same domain can put a cookie in its place.
        self._prefix = f"__Host-{_NAME}" if self._is_secure else _NAME
        self._path = "/" if self._is_secure else "/connect"
        self._seconds = settings.oauth.connect_session_seconds

    def generate_secret(self) -> Secret:
        """Return a new secret of 256 random bits for one session."""
        return Secret(secrets.token_urlsafe(_RANDOM_BYTES))

    def bind(self, request: Request, response: Response, session_id: str, browser: Secret) -> None:
        """Set the cookie of a session on the response."""
        earlier = [name for name in request.cookies if name.startswith(self._prefix)]
        if len(earlier) >= _MAX_SESSIONS:
            for name in earlier:
                self._set(response, name, "", 0)
        self._set(response, self._build_name(session_id), browser.reveal(), self._seconds)

    def read(self, request: Request, session_id: str) -> Secret | None:
        """Return the secret of a session, if the browser sent one."""
        value = request.cookies.get(self._build_name(session_id))
        return Secret(value) if value else None

    def read_by_token(self, request: Request, token: Secret) -> Secret | None:
        """Return the secret of the session of a link, if the browser sent one."""
        return self.read(request, name_session(token))

    def _build_name(self, session_id: str) -> str:
        return self._prefix + session_id[:_NAME_DIGITS]

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        # Lax: the browser comes back from the provider's site, and its cookie has to come along.
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=self._path,
            secure=self._is_secure,
            httponly=True,
            samesite="lax",
        )


def derive_csrf_token(browser: Secret) -> str:
    """Return the token of the forms of a session, which another site's page cannot know."""
    return hashlib.sha256(b"connect form\0" + browser.reveal_bytes()).hexdigest()
