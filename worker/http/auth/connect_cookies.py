"""Cookies of connect sessions: each binds one page to the browser that has opened its link."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from catfeeder.sealing import Secret
from config import Settings
from models.oauth.connect_sessions import name_session
from worker.http.auth.browser_cookies import BrowserCookies


class ConnectCookies(BrowserCookies):
    """Sets and reads the cookies, one for each session."""

    name = "catfeeder-connect-"

    def __init__(self, settings: Settings) -> None:
        """Derive `Secure` from the redirect URI: by that address browsers come."""
        is_secure = urlsplit(settings.redirect_uri).scheme == "https"
        seconds = settings.oauth.connect_session_seconds
        super().__init__(is_secure=is_secure, path="/connect", seconds=seconds)

    def bind(self, request: Request, response: Response, session_id: str, browser: Secret) -> None:
        """Set the cookie of a session on the response."""
        self._bind(request, response, session_id, browser)

    def read(self, request: Request, session_id: str) -> Secret | None:
        """Return the secret of a session, if the browser sent one."""
        return self._read(request, session_id)

    def read_by_token(self, request: Request, token: Secret) -> Secret | None:
        """Return the secret of the session of a link, if the browser sent one."""
        return self._read(request, name_session(token))


def derive_csrf_token(browser: Secret) -> str:
    """Return the token of the forms of a session, which another site's page cannot know."""
    return hashlib.sha256(b"connect form\0" + browser.reveal_bytes()).hexdigest()
