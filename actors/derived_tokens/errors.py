"""The errors of derived tokens, with the codes of RFC 8693 and RFC 6749 where they have one."""

from __future__ import annotations

from actors.errors import AuthError, FailureKind
from actors.providers.errors import ProviderRefused
from catfeeder.errors import CatFeederError


class InvalidTarget(AuthError):
    """Raised for a resource or audience that is malformed, or that the provider does not serve.

    See RFC 8693 section 2.2.2 and RFC 8707 section 2.
    """

    message = "The provider issues no token for that resource or audience: invalid_target."
    kind = FailureKind.SCOPE


class InvalidScope(AuthError):
    """Raised for a scope that is malformed, or exceeds what was granted (RFC 6749 section 5.2)."""

    message = "The provider issues no token of that scope: invalid_scope."
    kind = FailureKind.SCOPE


class TokenExchangeNotOffered(AuthError):
    """Raised where the provider's settings offer no way to a token for a target."""

    message = (
        "The provider's grant_types have neither urn:ietf:params:oauth:grant-type:token-exchange "
        "(RFC 8693) nor refresh_token, by which tokens for a scope or resource are asked for."
    )


def to_target_error(error: CatFeederError) -> CatFeederError:
    """Return the error of a refused request by the code that the provider gave it."""
    if isinstance(error, ProviderRefused):
        if error.error == "invalid_target":
            return InvalidTarget()
        if error.error == "invalid_scope":
            return InvalidScope()
    return error
