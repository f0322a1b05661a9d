"""Login CSRF guard: a cookie binds each sign-in to the browser that began it (RFC 9700 4.7).

Without it an attacker could have the answer to their own sign-in opened in a victim's browser, and
the victim would go on under the attacker's name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from catfeeder.sealing import Secret
from config import Settings
from models.oauth.state_hashes import hash_state
from worker.http.auth.browser_cookies import MAX_COOKIES, NAME_DIGITS, BrowserCookies

if TYPE_CHECKING:
    # A start needs no code of sign-ins.
    from actors.oauth.sign_in import SignIn

_DIGITS: Final = re.compile(f"[0-9a-f]{{{NAME_DIGITS}}}")


class SignInCookies(BrowserCookies):
    """Sets, reads and deletes the cookies, one for each pending sign-in."""

    name = "catfeeder-sign-in-"

    def __init__(self, settings: Settings) -> None:
        """Derive path and `Secure` from the redirect URI, where the cookies must come back."""
        redirect_uri = urlsplit(settings.redirect_uri)
        super().__init__(
            is_secure=redirect_uri.scheme == "https",
            # The parent of callback and login.
            path=redirect_uri.path.rpartition("/")[0] or "/",
            seconds=settings.oauth.state_lifetime_seconds,
        )

    def bind(self, request: Request, response: Response, begun: SignIn, secret: Secret) -> None:
        """Set the sign-in's cookie on the response; too many pending ones are deleted first."""
        digits = hash_state(Secret(begun.state))
        self._bind(request, response, digits, secret, crosses_sites=begun.comes_by_post)

    def read(self, request: Request, state: Secret) -> Secret | None:
        """Return the secret of the sign-in that has this state, if the browser sent one."""
        return self._read(request, hash_state(state))

    def read_all(self, request: Request) -> list[Secret]:
        """Return the secrets of all pending sign-ins that the browser sent."""
        values = (value for name, value in request.cookies.items() if name.startswith(self._prefix))
        return [Secret(value) for value in values if value][: 2 * MAX_COOKIES]

    def read_pending(self, request: Request) -> list[tuple[str, Secret]]:
        """Return each pending sign-in's first digits of the state's hash, and its secret."""
        names = (
            (name.removeprefix(self._prefix), value) for name, value in request.cookies.items()
        )
        found = [(digits, Secret(value)) for digits, value in names if _DIGITS.fullmatch(digits)]
        return found[: 2 * MAX_COOKIES]

    def delete(self, request: Request, response: Response, state: Secret) -> None:
        """Delete the cookie of a sign-in that has ended."""
        name = self._build_name(hash_state(state))
        if name in request.cookies:
            self._set(response, name, "", 0)
