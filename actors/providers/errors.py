"""Errors of providers: settings that do not serve, and answers that are none or refusals."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

from actors.errors import AuthError, FailureKind
from catfeeder.sealing import Secret
from config import credential_variable

#: What error codes look like, and random secrets, which have digits among their letters, do not.
_ERROR_CODE: Final = re.compile("[A-Za-z][A-Za-z_.-]{0,47}|(status )?[0-9]{1,6}")
#: The settings that a variable of the environment may give.
_CREDENTIALS: Final = ("client_secret", "private_key", "key_id", "team_id")


def sanitize_error_code(error: str) -> str:
    """Return an error code as it may be repeated.

    What does not look like one, or a description, may hold anything, our own secrets included.
    """
    return error if _ERROR_CODE.fullmatch(error) else "it gave no error code"


class ProviderUnknown(AuthError):
    """Raised where a provider's name has no settings."""

    message = "No provider of that name is configured."


class ProviderNotConfigured(AuthError):
    """Raised where a provider has settings that do not suffice for the request."""

    message = "The provider lacks something that it needs before users can sign in with it."
    kind = FailureKind.CLIENT_MISCONFIGURED

    @classmethod
    def lacks(cls, provider: str, name: str) -> ProviderNotConfigured:
        """Return the error of a provider without a setting, with the ways to give it."""
        remedy = f"give it by PATCH /v1/providers/{provider}"
        if name in _CREDENTIALS:
            remedy = f"set {credential_variable(provider, name.upper())} and restart, or {remedy}"
        return cls(f"The provider {provider} has no {name}: {remedy}.")


class ProviderTampered(AuthError):
    """Raised for a provider whose row this service has not written as it is.

    Tokens and secrets would go where the row says.
    """

    message = (
        "The provider's settings were changed in the database by something else than this "
        "service: PUT /v1/providers/{name} sets them anew."
    )
    kind = FailureKind.CLIENT_MISCONFIGURED


class ProviderInUse(AuthError):
    """Raised on erasing a provider that has connections."""

    message = (
        "Users are connected to this provider: DELETE /v1/connections/{id} for each of them first."
    )


class ProviderInvalid(AuthError):
    """Raised on storing settings; `fields` has a sentence for each JSON pointer, less its slash."""

    message = "The provider's settings cannot be used."

    def __init__(self, fields: Mapping[str, str]) -> None:
        problems = "; ".join(f"{name}: {problem}" for name, problem in fields.items())
        super().__init__(f"The provider's settings cannot be used: {problems}")
        self.fields = dict(fields)


class DiscoveryNeeded(AuthError):
    """Raised in processes that never call a provider, until a worker has stored its metadata."""

    message = (
        "What the provider's issuer publishes has not been fetched yet; try again in a moment."
    )
    permanent = False


class AddressForbidden(AuthError):
    """Raised against SSRF, before anything is sent.

    OAUTH_ALLOWED_PRIVATE_HOSTS names the exceptions.
    """

    message = "The provider's URL is not https, or leads to an address that is not public."
    kind = FailureKind.CLIENT_MISCONFIGURED


class ProviderUnreachable(AuthError):
    """Raised on timeouts, lost connections, and the statuses 429 and 5xx.

    `kind` is RATE_LIMITED where our rate is the reason. `retry_after_seconds` is what the provider
    asks for, 0 if nothing. `is_outcome_unknown` says that it may have done what it was asked.
    """

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
        super().__init__(detail)
        self.is_outcome_unknown = is_outcome_unknown
        self.kind = kind
        self.retry_after_seconds = retry_after_seconds


class ProviderUnavailable(AuthError):
    """Raised while an issuer is being asked for its metadata, or has just failed to answer."""

    message = "The provider's issuer does not answer at the moment; come back in a few seconds."
    permanent = False

    def __init__(self, detail: str | None = None, *, seconds: float = 1) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(math.ceil(seconds))}


class ProviderMisbehaved(AuthError):
    """Raised for an answer that cannot be parsed, or lacks what it must have."""

    message = "The provider's answer is not one that the standards allow."
    permanent = False
    kind = FailureKind.MALFORMED
    is_outcome_unknown = True


class ProviderRefused(AuthError):
    """Raised for an error response (RFC 6749 section 5.2); `error` is its code, if fit to show.

    `remedy` is a sentence that says what to do about it, and `answer` what the provider answered,
    cleaned; `brief` is the first line of each member.
    """

    message = "The provider refused the request."

    def __init__(
        self,
        error: str,
        *,
        kind: FailureKind = FailureKind.MALFORMED,
        remedy: str | None = None,
        answer: str | None = None,
        brief: str | None = None,
    ) -> None:
        self.brief = brief
        self.error = sanitize_error_code(error)
        self.kind = kind
        self.answer = answer
        sentence = f"The provider refused the request: {self.error}."
        super().__init__(f"{sentence} {remedy}" if remedy else sentence)

    def hide(self, token: Secret) -> None:
        """Remove a token that was sent from what the provider answered."""
        if self.answer is not None:
            self.answer = self.answer.replace(token.reveal(), "…")
        if self.brief is not None:
            self.brief = self.brief.replace(token.reveal(), "…")

    def tell_answer(self) -> None:
        """Say in the sentence, too, what the provider answered beside the code."""
        described = re.sub(f"^error: {re.escape(self.error)}(; )?", "", self.brief or "")
        if described:
            self.args = (f"{self.detail} It said: {described.rstrip('.')}.",)


class ProviderPaused(AuthError):
    """Raised while the provider's circuit breaker is open, `until` a time in RFC 3339.

    Without a time the operator has paused it, until it is resumed.
    """

    message = "Renewals with the provider are paused."
    permanent = False

    def __init__(self, provider: str, reason: str, until: str | None, seconds: int) -> None:
        pause = "paused by the operator" if until is None else f"paused until {until}"
        super().__init__(f"Renewals with {provider} are {pause}: {reason}")
        self.is_by_hand = until is None
        self.headers = {"Retry-After": str(seconds)}
