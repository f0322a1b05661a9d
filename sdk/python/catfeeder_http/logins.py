"""Login: what a check of a password means for the app, and what to store of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .models import PasswordCheck


@dataclass(frozen=True)
class Login:
    """The outcome of one login; it is true where the password was right."""

    valid: bool
    #: What to store in place of the hash that was checked; None where it stays.
    new_hash: str | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        """Return whether the password was right."""
        return self.valid


def read_login(check: PasswordCheck) -> Login:
    """Return the outcome of a check that asked for a new hash where it is due."""
    new_hash = check.password_hash
    return Login(check.valid, new_hash if check.valid and isinstance(new_hash, str) else None)
