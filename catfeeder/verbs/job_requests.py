"""Job request: a message that a verb makes, with what its arguments share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from catfeeder.messages import MessageType
from catfeeder.results import PasswordCheck
from catfeeder.sealing import Secret

R_co = TypeVar("R_co", covariant=True)

#: A provider may have to be asked first, for which the service gives it 20 seconds.
API_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class JobRequest(Generic[R_co]):
    """A message of the catalogue with its arguments; its job results in an `R_co`."""

    message_type: MessageType
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """The check of a password at a login, and for how many seconds its end is waited for."""

    check: JobRequest[PasswordCheck]
    timeout: float


def wrap_secret(value: str | bytes | Secret) -> Secret:
    """Return a secret as one."""
    return value if isinstance(value, Secret) else Secret.of(value)


def name_variables(variables: Mapping[str, str] | None) -> dict[str, Any]:
    """Return an argument, where there is any: a service of an earlier release takes none."""
    return {"variables": dict(variables)} if variables else {}
