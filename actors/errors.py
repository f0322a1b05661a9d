"""What can go wrong with sign-in and stored tokens; each docstring is what people read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from catfeeder.errors import CatFeederError

#: What error codes look like, and random secrets, which have digits among their letters, do not.
_ERROR_CODE: Final = re.compile("[A-Za-z][A-Za-z_.-]{0,47}|(status )?[0-9]{1,6}")


def shown_code(error: str) -> str:
    """Return an error code as it may be repeated.

    What does not look like one, or a description, may hold anything, our own secrets included.
    """
    return error if _ERROR_CODE.fullmatch(error) else "it gave no error code"


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
    """The sign-in failed."""

    message = "The sign-in failed."

    #: None where the failure says nothing about the provider.
    kind: FailureKind | None = None
    #: True where something was sent and no answer says what became of it.
    is_outcome_unknown: bool = False


class ProviderUnknown(AuthError):
    """No provider of that name is configured."""

    message = "No provider of that name is configured."


class ProviderNotConfigured(AuthError):
    """The provider lacks something that it needs before users can sign in with it."""

    message = "The provider lacks something that it needs before users can sign in with it."

    kind = FailureKind.CLIENT_MISCONFIGURED


class ProviderInUse(AuthError):
    """Users are connected to this provider; disconnect them first."""

    message = "Users are connected to this provider; disconnect them first."


class ProviderInvalid(AuthError):
    """The provider's settings cannot be used."""

    message = "The provider's settings cannot be used."

    def __init__(self, fields: Mapping[str, str]) -> None:
        """Take what is wrong with each field, by its JSON pointer without the leading slash."""
        super().__init__(
            "The provider's settings cannot be used: "
            + "; ".join(f"{name}: {problem}" for name, problem in fields.items())
        )
        self.fields = dict(fields)


class DiscoveryNeeded(AuthError):
    """What the provider's issuer publishes has not been fetched yet; try again in a moment."""

    message = (
        "What the provider's issuer publishes has not been fetched yet; try again in a moment."
    )

    permanent = False


class ReturnToForbidden(AuthError):
    """return_to leads to an origin that [OAuth] return_to_origins of config.toml does not list."""

    message = (
        "return_to leads to an origin that [OAuth] return_to_origins of config.toml does not list."
    )


class SubjectInvalid(AuthError):
    """subject must have 1 to 255 characters, none of them a control character."""

    message = "subject must have 1 to 255 characters, none of them a control character."


class ScopeInvalid(AuthError):
    """scope must be names of visible ASCII characters, parted by spaces."""

    message = "scope must be names of visible ASCII characters, parted by spaces."


class CodeInvalid(AuthError):
    """The code is not one that a provider gives: it must be of visible ASCII characters."""

    message = "The code is not one that a provider gives: it must be of visible ASCII characters."


class TokenInvalid(AuthError):
    """The token is not one that a provider gives: it must be of visible ASCII characters."""

    message = "The token is not one that a provider gives: it must be of visible ASCII characters."


class RedirectMismatch(AuthError):
    """The answer came to another redirect URI than the one that this sign-in began with."""

    message = "The answer came to another redirect URI than the one that this sign-in began with."


class BrowserMismatch(AuthError):
    """This sign-in was begun in another browser, or its cookie is gone; start it again here."""

    message = (
        "This sign-in was begun in another browser, or its cookie is gone; start it again here."
    )


class StateMissing(AuthError):
    """The state is missing: without it a forged answer could not be told from a real one."""

    message = "The state is missing: without it a forged answer could not be told from a real one."


class StateUnknown(AuthError):
    """The state does not match any pending sign-in with this provider."""

    message = "The state does not match any pending sign-in with this provider."


class StateExpired(AuthError):
    """The sign-in took too long; start it again."""

    message = "The sign-in took too long; start it again."


class StateUsed(AuthError):
    """This sign-in was finished before; its state and code serve once."""

    message = "This sign-in was finished before; its state and code serve once."


class OutcomeUnknown(AuthError):
    """The exchange was cut off and the code may have been used; sign in again."""

    message = "The exchange was cut off and the code may have been used; sign in again."


class IssuerMismatch(AuthError):
    """The answer names another issuer than the provider's (RFC 9207)."""

    message = "The answer names another issuer than the provider's (RFC 9207)."


class IdTokenInvalid(AuthError):
    """The provider's id_token does not hold what it must."""

    message = "The provider's id_token does not hold what it must."


class AddressForbidden(AuthError):
    """The provider's URL is not https, or leads to an address that is not public.

    OAUTH_ALLOWED_PRIVATE_HOSTS names the exceptions.
    """

    message = "The provider's URL is not https, or leads to an address that is not public."

    kind = FailureKind.CLIENT_MISCONFIGURED


class ProviderUnreachable(AuthError):
    """The provider did not answer in time, or answered that it cannot at the moment."""

    message = "The provider did not answer in time, or answered that it cannot at the moment."

    permanent = False

    def __init__(
        self,
        detail: str | None = None,
        *,
        kind: FailureKind = FailureKind.TRANSIENT,
        retry_after_seconds: int = 0,
        is_outcome_unknown: bool = False,
    ) -> None:
        """Take whether it is our rate, when the provider wants to be asked again, if told, and
        whether it may have done all the same what it was asked for.
        """
        super().__init__(detail)
        self.is_outcome_unknown = is_outcome_unknown
        self.kind = kind
        self.retry_after_seconds = retry_after_seconds


class ProviderMisbehaved(AuthError):
    """The provider's answer is not one that the standards allow."""

    message = "The provider's answer is not one that the standards allow."

    permanent = False
    kind = FailureKind.MALFORMED
    is_outcome_unknown = True


class ProviderRefused(AuthError):
    """The provider refused the request."""

    message = "The provider refused the request."

    def __init__(
        self,
        error: str,
        *,
        kind: FailureKind = FailureKind.MALFORMED,
        remedy: str | None = None,
    ) -> None:
        """Take the `error` code of RFC 6749 section 5.2, its kind, and a sentence that helps."""
        self.error = shown_code(error)
        self.kind = kind
        sentence = f"The provider refused the request: {self.error}."
        super().__init__(f"{sentence} {remedy}" if remedy else sentence)


class ProviderPaused(AuthError):
    """Renewals with the provider are paused."""

    message = "Renewals with the provider are paused."

    permanent = False

    def __init__(self, provider: str, reason: str, until: str | None, seconds: int) -> None:
        """Take why, and when to come back: as RFC 3339, and in seconds from now."""
        super().__init__(f"Renewals with {provider} are paused until {until}: {reason}")
        self.headers = {"Retry-After": str(seconds)}


class ConnectionUnknown(AuthError):
    """There is no connection of that id."""

    message = "There is no connection of that id."


class ConnectionBusy(AuthError):
    """Somebody else is renewing this connection at the moment."""

    message = "Somebody else is renewing this connection at the moment."

    permanent = False


class RenewalBroken(AuthError):
    """Renewing met an error of our own, which the log tells; it is tried again."""

    message = "Renewing met an error of our own, which the log tells; it is tried again."

    permanent = False
    is_outcome_unknown = True


class RenewalFailing(AuthError):
    """The token cannot be renewed at the moment; it is tried again, later each time."""

    message = "The token cannot be renewed at the moment; it is tried again, later each time."

    permanent = False

    def __init__(self, reason: str | None = None, *, seconds: int | None = None) -> None:
        """Take why, and in how many seconds it is tried again."""
        super().__init__(reason)
        self.headers = {} if seconds is None else {"Retry-After": str(seconds)}


class CursorInvalid(AuthError):
    """The cursor is not one that a previous page gave."""

    message = "The cursor is not one that a previous page gave."


class ReauthorizationRequired(AuthError):
    """The user has to sign in with the provider again before there is another token."""

    message = "The user has to sign in with the provider again before there is another token."
