"""The errors of connect sessions: their links are unknown, expired, or another browser's."""

from __future__ import annotations

from actors.errors import AuthError


class ConnectSessionInvalid(AuthError):
    """Raised for a session that would offer nothing, or could not relay what it offers."""

    message = "The connect session cannot be made as it is asked for."


class ConnectLinkUnknown(AuthError):
    """Raised for a link that was never given, or was erased after its end."""

    message = "There is no such link any more: ask the app for a new one."


class ConnectLinkExpired(AuthError):
    """Raised for a link or a page that is used later than it lasts."""

    message = "The link has expired: ask the app for a new one."

    def __init__(self, return_to: str | None = None) -> None:
        """`return_to` is where the page would have led back to."""
        super().__init__()
        self.return_to = return_to


class ConnectLinkTaken(AuthError):
    """Raised for a link that another browser has opened first."""

    message = "The link was opened in another browser, and serves there alone."
