"""Hashing and checking passwords; the one place where bcrypt comes in."""

from __future__ import annotations

import hmac
from typing import Final

import bcrypt

from actors.passwords.policy import check_policy
from actors.passwords.rules import (
    BcryptHash,
    check_hashable,
    check_rounds,
    compared_part,
    hash_bytes,
    password_bytes,
    read_hash,
)
from catfeeder.sealing import Secret
from config import PasswordsSettings, current_settings

#: What new hashes begin with; $2a$ and $2y$ are those of older libraries, and of PHP.
_PREFIX: Final = "2b"


class PasswordHandling:
    """Hashes and checks passwords in this process, without a queue.

    Every refusal is a `PasswordRefused`, which is a ValueError; `error` and `success` are there for
    the other classes' sake.
    """

    #: bcrypt's cost: each one more doubles the time.
    salt_rounds: int = 10
    #: The policy for new passwords; none unless one is set.
    policy: PasswordsSettings | None = None

    def __init__(self, error: int = 84, success: int = 0, debug: bool = False) -> None:
        """Take the statuses that all of the service's classes take."""
        self.error = error
        self.success = success
        self.debug = debug

    def hash_password(self, password: str | bytes) -> str:
        """Return the bcrypt hash of a password.

        Raises:
            TypeError: The password is neither str nor bytes.
            PasswordRefused: It cannot be hashed, or the policy refuses it.
        """
        encoded = password_bytes(password)
        if self.policy is not None:
            check_policy(encoded.decode(errors="surrogateescape"), self.policy)
        return _hashed(encoded, self.salt_rounds)

    def check_password(self, password: str | bytes, password_hash: bytes | str) -> bool:
        """Tell whether a hash is of the password.

        Raises:
            TypeError: One of the two is neither str nor bytes.
            PasswordRefused: The hash is not one of bcrypt, or the password has a NUL byte.
        """
        encoded = password_bytes(password)
        return _matches(encoded, read_hash(hash_bytes(password_hash)))


def hash_password(password: Secret, rounds: int | None = None) -> dict[str, str]:
    """Perform the message of the same name; without `rounds`, `[Passwords]` says how many.

    Raises:
        PasswordRefused: The password cannot be hashed, or not with so many rounds.
    """
    chosen = current_settings().passwords.rounds if rounds is None else rounds
    return {"password_hash": _hashed(password_bytes(password), chosen)}


def check_password(password: Secret, password_hash: Secret) -> dict[str, bool]:
    """Perform the message of the same name.

    Raises:
        PasswordRefused: The hash is not one of bcrypt, or the password has a NUL byte.
    """
    parts = read_hash(hash_bytes(password_hash))
    is_outdated = parts.prefix != _PREFIX or parts.rounds < current_settings().passwords.rounds
    return {"valid": _matches(password_bytes(password), parts), "needs_rehash": is_outdated}


def _hashed(password: bytes, rounds: int) -> str:
    check_hashable(password)
    check_rounds(rounds, testing=current_settings().debug.testing)
    salt = bcrypt.gensalt(rounds, prefix=_PREFIX.encode())
    return bcrypt.hashpw(password, salt).decode()


def _matches(password: bytes, parts: BcryptHash) -> bool:
    again = bcrypt.hashpw(compared_part(password), parts.setting)
    return hmac.compare_digest(again[-len(parts.digest) :], parts.digest)
