"""Binds a sign-in to the browser that begins it, by a cookie for each (RFC 9700 section 4.7).

Without it somebody could have their own account's answer opened in another's browser, and that
person would go on under a stranger's name (login CSRF).
"""

from __future__ import annotations

import secrets
from typing import Final, Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from actors.oauth.sign_in import SignIn
from catfeeder.sealing import Secret
from config import Settings
from models.oauth.sign_ins import hash_state

_NAME: Final = "catfeeder-sign-in-"
_STATE_DIGITS: Final = 16
#: A browser may begin in several windows; a page that makes it begin on and on must not swell all
#: its requests.
_MAX_PENDING: Final = 8
_RANDOM_BYTES: Final = 32


class SignInCookies:
    """Gives browsers their secrets and takes them back."""

    def __init__(self, settings: Settings) -> None:
        """Take the redirect URI, to which the cookies must come back."""
        redirect_uri = urlsplit(settings.redirect_uri)
        self._is_secure = redirect_uri.scheme == "https"
        # With this prefix no other host below the same domain can put a cookie in its place. It
        # demands the root for a path; else it is that of the callback and of what begins.
        self._prefix = f"__Host-{_NAME}" if self._is_secure else _NAME
        self._path = "/" if self._is_secure else redirect_uri.path.rpartition("/")[0] or "/"
        self._seconds = settings.oauth.state_lifetime_seconds

    def new_secret(self) -> Secret:
        """Return what a browser is to be known by for one sign-in."""
        return Secret(secrets.token_urlsafe(_RANDOM_BYTES))

    def bind(self, request: Request, response: Response, begun: SignIn, browser: Secret) -> None:
        """Give the browser its secret along with the answer to its request."""
        earlier = [name for name in request.cookies if name.startswith(self._prefix)]
        if len(earlier) >= _MAX_PENDING:
            for name in earlier:
                self._set(response, name, "", 0)
        name = self._name(Secret(begun.state))
        # From the provider's site a POST brings only cookies that every site's requests do.
        crosses_sites = begun.comes_by_post and self._is_secure
        same_site: Literal["none", "lax"] = "none" if crosses_sites else "lax"
        self._set(response, name, browser.reveal(), self._seconds, same_site)

    def secret_of(self, request: Request, state: Secret) -> Secret | None:
        """Return what the browser of a request was given for the sign-in of this state."""
        value = request.cookies.get(self._name(state))
        return Secret(value) if value else None

    def earlier_secrets(self, request: Request) -> list[Secret]:
        """Return what the browser of a request was given for sign-ins that have not ended."""
        values = (value for name, value in request.cookies.items() if name.startswith(self._prefix))
        return [Secret(value) for value in values if value][: 2 * _MAX_PENDING]

    def release(self, request: Request, response: Response, state: Secret) -> None:
        """Let the browser forget a sign-in that has ended."""
        name = self._name(state)
        if name in request.cookies:
            self._set(response, name, "", 0)

    def _name(self, state: Secret) -> str:
        return self._prefix + hash_state(state)[:_STATE_DIGITS]

    def _set(
        self,
        response: Response,
        name: str,
        value: str,
        seconds: int,
        same_site: Literal["none", "lax"] = "lax",
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=self._path,
            secure=self._is_secure,
            httponly=True,
            samesite=same_site,
        )
