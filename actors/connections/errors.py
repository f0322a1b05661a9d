"""The errors of stored connections: unknown, busy, failing, or in need of their user."""

from __future__ import annotations

from actors.errors import AuthError


class ConnectionUnknown(AuthError):
    """Raised for an id that was never given, or whose connection was erased."""

    message = "There is no connection of that id: it was erased, or never made."


class ConnectionBusy(AuthError):
    """Raised where another process holds the lease of the connection for too long."""

    message = "Another process is renewing this connection at the moment."
    permanent = False


class RenewalBroken(AuthError):
    """Raised in place of an unexpected exception, whose traceback is in the log."""

    message = "The renewal met an internal error, which the log describes; it is tried again."
    permanent = False
    is_foreseen = False
    is_outcome_unknown = True


class RenewalFailing(AuthError):
    """Raised while the connection is in back-off; `seconds` are left of it."""

    message = "The token cannot be renewed at the moment; it is tried again, later each time."
    permanent = False

    def __init__(self, reason: str | None = None, *, seconds: int | None = None) -> None:
        super().__init__(reason)
        self.headers = {} if seconds is None else {"Retry-After": str(seconds)}


class ReauthorizationRequired(AuthError):
    """Raised where the grant has ended at the provider, or its tokens are gone."""

    message = "The user has to sign in with the provider again before there is another token."


class AuthorizationPending(AuthError):
    """Raised for the token of a device whose user has not agreed yet (RFC 8628 section 3.5).

    `seconds` are left until the provider is asked again.
    """

    message = "The user has not entered the code yet, or has not agreed; ask again a little later."
    permanent = False

    def __init__(self, reason: str | None = None, *, seconds: int | None = None) -> None:
        super().__init__(reason)
        self.headers = {} if seconds is None else {"Retry-After": str(seconds)}


class AccessDenied(AuthError):
    """Raised where the user has refused what a device asked for (RFC 8628 section 3.5)."""

    message = "The user has refused what the device asks for; the device may begin again."


class ExpiredToken(AuthError):
    """Raised where no user has agreed before a device's code ran out (RFC 8628 section 3.5)."""

    message = "No user has agreed before the code ran out; the device may begin again."
