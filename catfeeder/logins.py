"""Login: what a check of a password means for the caller, and what to store of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from catfeeder.results import PasswordCheck

#: A check waits for a core, and an outdated hash is made anew in the same job.
LOGIN_TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Login:
    """The outcome of one login; it is true where the password was right."""

    valid: bool
    #: What to store in place of the hash that was checked; None where it stays. Its `repr` is
    #: hidden.
    new_hash: str | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        """Return whether the password was right."""
        return self.valid


def read_login(check: PasswordCheck) -> Login:
    """Return the outcome of a check that asked for a new hash where it is due."""
    return Login(check["valid"], check.get("password_hash") if check["valid"] else None)
