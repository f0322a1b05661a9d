"""Why the shim itself refuses a request, before any worker hears of it."""

from __future__ import annotations

from collections.abc import Mapping

from catfeeder.errors import CatFeederError


class Refusal(CatFeederError):
    """The request is refused."""

    message = "The request is refused."

    def __init__(
        self, detail: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Take the headers that belong to the answer."""
        super().__init__(detail)
        self.headers = dict(headers or {})


class BodyTooLarge(Refusal):
    """The body is larger than the 64 KiB that any request of this service needs."""

    message = "The body is larger than the 64 KiB that any request of this service needs."


class HostNotTrusted(Refusal):
    """The Host header names none of [Server_configuration] trusted_hosts of config.toml."""

    message = "The Host header names none of [Server_configuration] trusted_hosts of config.toml."


class IdempotencyKeyReused(Refusal):
    """This Idempotency-Key came with another request before; use a new one."""

    message = "This Idempotency-Key came with another request before; use a new one."


class JobNotCancellable(Refusal):
    """The job has begun or ended, so it cannot be cancelled any more."""

    message = "The job has begun or ended, so it cannot be cancelled any more."


class KeyLacksScope(Refusal):
    """The API key may not do this."""

    message = "The API key may not do this."


class KeyRequired(Refusal):
    """Send an API key: `Authorization: Bearer <key>`."""

    message = "Send an API key: `Authorization: Bearer <key>`."


class KeyUnknown(Refusal):
    """The API key is not one of this service."""

    message = "The API key is not one of this service."


class MediaTypeUnsupported(Refusal):
    """The body must be JSON: `Content-Type: application/json`."""

    message = "The body must be JSON: `Content-Type: application/json`."


class ParametersInvalid(Refusal):
    """The parameters do not make an answer of a provider: each may be there once."""

    message = "The parameters do not make an answer of a provider: each may be there once."


class QueueOverloaded(Refusal):
    """More work waits than can be done in time; come back later."""

    message = "More work waits than can be done in time; come back later."

    permanent = False


class RateExceeded(Refusal):
    """This API key is used more often than it may be in a minute; come back later."""

    message = "This API key is used more often than it may be in a minute; come back later."

    permanent = False


class ServerStopping(Refusal):
    """The service is stopping and takes no new work; come back later."""

    message = "The service is stopping and takes no new work; come back later."

    permanent = False


class SignInRefused(Refusal):
    """The provider did not sign the user in."""

    message = "The provider did not sign the user in."


class TooManyAttempts(Refusal):
    """Too many sign-ins came from your address; come back later."""

    message = "Too many sign-ins came from your address; come back later."

    permanent = False


class TooManyWrongKeys(Refusal):
    """Too many wrong API keys came from your address; come back later with the right one."""

    message = "Too many wrong API keys came from your address; come back later with the right one."

    permanent = False
