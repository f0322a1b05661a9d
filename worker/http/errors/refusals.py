"""Errors of the web process: it refuses a request before any worker sees it."""

from __future__ import annotations

from collections.abc import Mapping

from catfeeder.errors import CatFeederError


class Refusal(CatFeederError):
    """The root of this module's errors; `headers` go into the answer."""

    message = "The request is refused."

    def __init__(
        self, detail: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.headers = dict(headers or {})


class BodyTooLarge(Refusal):
    """Raised by the stated length of a body, or while it is read."""

    message = "The body is larger than the 64 KiB that any request of this service needs."


class ContentCodingUnsupported(Refusal):
    """Raised before a compressed body is read: it would be no JSON, or many times its size."""

    message = "The body must not be compressed: send it without `Content-Encoding`."


class FormForged(Refusal):
    """Raised against CSRF: a change has no token of the session, or is of another origin's page."""

    message = "The form was not sent from a page of this session. Load the page, and try again."


class HostInvalid(Refusal):
    """Raised for a Host header that is missing, repeated or malformed (RFC 9112 section 3.2)."""

    message = "The Host header must be one host, with a port or without."


class HostNotTrusted(Refusal):
    """Raised against DNS rebinding."""

    message = "The Host header names neither REDIRECT_URI's host nor one of trusted_hosts."


class IdempotencyKeyReused(Refusal):
    """Raised where the fingerprints of two requests with one key differ."""

    message = "This Idempotency-Key came with another request before; use a new one."


class IdempotencyKeySpoilt(Refusal):
    """Raised where what Redis holds of a key was not written by the service, or for another key."""

    message = "What is known of this Idempotency-Key is damaged; use a new one."


class JobNotCancellable(Refusal):
    """Raised for a job whose status is no longer `queued`."""

    message = "The job has begun or ended, so it cannot be cancelled any more."


class KeyLacksScope(Refusal):
    """Raised as RFC 6750's `insufficient_scope`."""

    message = "The API key may not do this."


class KeyRequired(Refusal):
    """Raised where the Authorization header holds no bearer key."""

    message = "Send an API key: `Authorization: Bearer <key>`."


class KeyUnknown(Refusal):
    """Raised as RFC 6750's `invalid_token`: a key that is wrong, revoked or expired."""

    message = "The API key is unknown, revoked or expired: `python -m worker keys make` makes one."


class MediaTypeUnsupported(Refusal):
    """Raised before a body is read."""

    message = "The body must be JSON: `Content-Type: application/json`."


class ParametersInvalid(Refusal):
    """Raised for an authorization response that breaks RFC 6749 section 3.1 or 4.1.2."""

    message = "The parameters do not make an answer of a provider: each may be there once."


class QueueOverloaded(Refusal):
    """Raised by admission control."""

    message = "More work waits than can be done in time; come back later."

    permanent = False


class RateExceeded(Refusal):
    """Raised beyond a key's `requests_per_minute`."""

    message = "This API key was used more often than its requests_per_minute; come back later."

    permanent = False


class ServerStopping(Refusal):
    """Raised for new work while the process drains."""

    message = (
        "The service is stopping, or was shut down, and takes no new work; come back later. For "
        "its operator: `make run`, or `python -m worker migrate`, begins it anew."
    )

    permanent = False


class SignInRefused(Refusal):
    """Raised for an authorization response with an `error` (RFC 6749 section 4.1.2.1)."""

    message = "The provider did not sign the user in."


class TooManyAttempts(Refusal):
    """Raised where one address begins too many sign-ins, or causes too many refusals."""

    message = "Too many sign-ins came from your address; come back later."

    permanent = False


class TooManyStreams(Refusal):
    """Raised for a page that wants to be kept live by a process that does so for enough others."""

    message = "As many pages as may be are kept live; load this one again to see its latest state."


class TooManyConnections(Refusal):
    """Raised on the connections that are kept for the health check alone."""

    message = "The service has as many open connections as it may; come back later."

    permanent = False


class TooManyWrongKeys(Refusal):
    """Raised by the brute-force throttle."""

    message = "Too many wrong API keys came from your address; come back later with the right one."

    permanent = False
