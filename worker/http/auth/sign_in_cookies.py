"""Login CSRF guard: a cookie binds each sign-in to the browser that began it (RFC 9700 4.7).

Without it an attacker could have the answer to their own sign-in opened in a victim's browser, and
the victim would go on under the attacker's name.
"""

from __future__ import annotations

import re
import secrets
from typing import Final, Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from actors.oauth.sign_in import SignIn
from catfeeder.sealing import Secret
from config import Settings
from models.oauth.state_hashes import hash_state

_NAME: Final = "catfeeder-sign-in-"
_STATE_DIGITS: Final = 16
_DIGITS: Final = re.compile(f"[0-9a-f]{{{_STATE_DIGITS}}}")
#: A browser may begin in several windows; a page that makes it begin on and on must not swell all
#: its requests.
_MAX_PENDING: Final = 8
_RANDOM_BYTES: Final = 32


class SignInCookies:
    """Sets, reads and deletes the cookies, one for each pending sign-in."""

    def __init__(self, settings: Settings) -> None:
        """Derive path and `Secure` from the redirect URI, where the cookies must come back."""
        redirect_uri = urlsplit(settings.redirect_uri)
        self._is_secure = redirect_uri.scheme == "https"
        # With this prefix no other host below the same domain can put a cookie in its place. It
        # requires the path "/"; else the path is the parent of callback and login.
        self._prefix = f"__Host-{_NAME}" if self._is_secure else _NAME
        self._path = "/" if self._is_secure else redirect_uri.path.rpartition("/")[0] or "/"
        self._seconds = settings.oauth.state_lifetime_seconds

    def generate_secret(self) -> Secret:
        """Return a new secret of 256 random bits for one sign-in."""
        return Secret(secrets.token_urlsafe(_RANDOM_BYTES))

    def bind(self, request: Request, response: Response, begun: SignIn, secret: Secret) -> None:
        """Set the sign-in's cookie on the response; too many pending ones are deleted first."""
        earlier = [name for name in request.cookies if name.startswith(self._prefix)]
        if len(earlier) >= _MAX_PENDING:
            for name in earlier:
                self._set(response, name, "", 0)
        name = self._build_name(Secret(begun.state))
        # With a POST from the provider's site, a browser sends only cookies of SameSite=None.
        crosses_sites = begun.comes_by_post and self._is_secure
        same_site: Literal["none", "lax"] = "none" if crosses_sites else "lax"
        self._set(response, name, secret.reveal(), self._seconds, same_site)

    def read(self, request: Request, state: Secret) -> Secret | None:
        """Return the secret of the sign-in that has this state, if the browser sent one."""
        value = request.cookies.get(self._build_name(state))
        return Secret(value) if value else None

    def read_all(self, request: Request) -> list[Secret]:
        """Return the secrets of all pending sign-ins that the browser sent."""
        values = (value for name, value in request.cookies.items() if name.startswith(self._prefix))
        return [Secret(value) for value in values if value][: 2 * _MAX_PENDING]

    def read_pending(self, request: Request) -> list[tuple[str, Secret]]:
        """Return each pending sign-in's first digits of the state's hash, and its secret."""
        names = (
            (name.removeprefix(self._prefix), value) for name, value in request.cookies.items()
        )
        found = [(digits, Secret(value)) for digits, value in names if _DIGITS.fullmatch(digits)]
        return found[: 2 * _MAX_PENDING]

    def delete(self, request: Request, response: Response, state: Secret) -> None:
        """Delete the cookie of a sign-in that has ended."""
        name = self._build_name(state)
        if name in request.cookies:
            self._set(response, name, "", 0)

    def _build_name(self, state: Secret) -> str:
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
