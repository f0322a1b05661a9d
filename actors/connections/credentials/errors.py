"""The errors of credentials: they lack a member, or the provider refuses them."""

from __future__ import annotations

from actors.errors import AuthError, FailureKind


class CredentialsInvalid(AuthError):
    """Raised for credentials that the provider's settings cannot use; nothing was sent."""

    message = "The credentials are not those that this provider takes."


class CredentialsRefused(AuthError):
    """Raised where the provider refuses credentials; nothing was stored."""

    message = "The provider refuses these credentials; nothing was stored."
    kind = FailureKind.GRANT_DEAD
