"""Cookies that bind a flow to the browser that began it: one each, with a secret of 256 bits."""

from __future__ import annotations

import secrets
from typing import ClassVar, Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from catfeeder.sealing import Secret

_RANDOM_BYTES: Final = 32
#: A browser may have several windows; beyond so many the earlier cookies are deleted, lest they
#: swell all requests of the browser.
MAX_COOKIES: Final = 8
#: The digits of a flow's name that a cookie's name has.
NAME_DIGITS: Final = 16


class BrowserCookies:
    """Sets, reads and deletes the cookies of one kind of flow, by the digits that name each."""

    #: What the names of the cookies begin with.
    name: ClassVar[str]

    def __init__(self, *, is_secure: bool, path: str, seconds: int) -> None:
        """Keep cookies `seconds` long for `path`, which is "/" where they are `Secure`."""
        self._is_secure = is_secure
        # With this prefix no other host below the same domain can put a cookie in its place. It
        # requires the path "/".
        self._prefix = f"__Host-{self.name}" if is_secure else self.name
        self._path = "/" if is_secure else path
        self._seconds = seconds

    def generate_secret(self) -> Secret:
        """Return a new secret of 256 random bits for one flow."""
        return Secret(secrets.token_urlsafe(_RANDOM_BYTES))

    def _bind(
        self,
        request: Request,
        response: Response,
        digits: str,
        secret: Secret,
        *,
        crosses_sites: bool = False,
    ) -> None:
        """Set a flow's cookie on the response; too many earlier ones are deleted first.

        Lax cookies come along when the browser is sent back from the provider's site. With a POST
        from there, a browser sends only those of SameSite=None.
        """
        earlier = [name for name in request.cookies if name.startswith(self._prefix)]
        if len(earlier) >= MAX_COOKIES:
            for name in earlier:
                self._set(response, name, "", 0)
        same_site: Literal["none", "lax"] = "none" if crosses_sites and self._is_secure else "lax"
        self._set(response, self._build_name(digits), secret.reveal(), self._seconds, same_site)

    def _read(self, request: Request, digits: str) -> Secret | None:
        """Return the secret of a flow, if the browser sent one."""
        value = request.cookies.get(self._build_name(digits))
        return Secret(value) if value else None

    def _build_name(self, digits: str) -> str:
        return self._prefix + digits[:NAME_DIGITS]

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
