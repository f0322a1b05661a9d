"""Errors of sign-ins and pages; the `message` of each is what people read."""

from __future__ import annotations

from enum import StrEnum

from catfeeder.errors import CatFeederError


class FailureKind(StrEnum):
    """What a failure of a provider's token endpoint means for the grant and for the provider.

    The names are read by apps, and written by operators: never rename one.
    """

    GRANT_DEAD = "grant_dead"
    CLIENT_MISCONFIGURED = "client_misconfigured"
    SCOPE = "scope"
    RATE_LIMITED = "rate_limited"
    TRANSIENT = "transient"
    MALFORMED = "malformed"


class AuthError(CatFeederError):
    """The root of the errors of actors."""

    message = "The sign-in failed."
    #: None where the failure says nothing about the provider.
    kind: FailureKind | None = None
    #: The status of the answer that failed, where one came.
    status: int | None = None
    #: True where something was sent and no answer says what became of it.
    is_outcome_unknown: bool = False


class CodeInvalid(AuthError):
    """Raised before a code outside the grammar of RFC 6749 appendix A.11 is sent."""

    message = "The code is not one that a provider gives: it must be of visible ASCII characters."


class TokenInvalid(AuthError):
    """Raised before a token outside the grammar of RFC 6749 appendix A.12 or A.17 is sent."""

    message = "The token is not one that a provider gives: it must be of visible ASCII characters."


class OutcomeUnknown(AuthError):
    """Raised for a state whose exchange has begun and not ended: its code is not posted twice."""

    message = "The exchange was cut off and the code may have been used; sign in again."


class IdTokenInvalid(AuthError):
    """Raised for an id_token that OpenID Connect Core section 3.1.3.7 rejects."""

    message = "The provider's id_token does not hold what it must."


class CursorInvalid(AuthError):
    """Raised for a page cursor that was edited or made up."""

    message = "cursor is not the next_cursor of a previous page: begin without one."
