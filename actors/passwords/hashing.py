"""bcrypt: hashes and checks passwords; the one module that loads it."""

from __future__ import annotations

import hmac
from typing import Final

import bcrypt

from actors.passwords.policy import check_policy
from actors.passwords.rules import (
    BcryptHash,
    check_hashable,
    check_rounds,
    encode_hash,
    encode_password,
    parse_hash,
    truncate_password,
)
from catfeeder.results import PasswordCheck, PasswordHash
from catfeeder.sealing import Secret
from config import PasswordsSettings, current_settings

#: The prefix of new hashes; $2a$ and $2y$ are those of older libraries, and of PHP.
_PREFIX: Final = "2b"


class PasswordHandling:
    """Hashes and checks passwords in this process, without a queue.

    Every refusal is a `PasswordRefused`, which is a ValueError. `error`, `success` and `debug` are
    stored and not used; the seed's other classes use theirs.
    """

    #: bcrypt's cost: each round more doubles the time.
    salt_rounds: int = 10
    #: The policy for new passwords; none unless one is set.
    policy: PasswordsSettings | None = None

    def __init__(self, error: int = 84, success: int = 0, debug: bool = False) -> None:
        self.error = error
        self.success = success
        self.debug = debug

    def hash_password(self, password: str | bytes) -> str:
        """Return the bcrypt hash of a password.

        Raises:
            TypeError: The password is neither str nor bytes.
            PasswordRefused: It cannot be hashed, or the policy refuses it.
        """
        encoded = encode_password(password)
        if self.policy is not None:
            check_policy(encoded.decode(errors="surrogateescape"), self.policy)
        return _hash(encoded, self.salt_rounds)

    def check_password(self, password: str | bytes, password_hash: bytes | str) -> bool:
        """Tell whether a hash is of the password.

        Raises:
            TypeError: One of the two is neither str nor bytes.
            PasswordRefused: The hash is not one of bcrypt, or the password has a NUL byte.
        """
        encoded = encode_password(password)
        return _matches(encoded, parse_hash(encode_hash(password_hash)))


def hash_password(password: Secret, rounds: int | None = None) -> PasswordHash:
    """Perform `hash_password`; the default of `rounds` is `[Passwords] rounds`.

    Raises:
        PasswordRefused: The password cannot be hashed, or not with so many rounds.
    """
    chosen = current_settings().passwords.rounds if rounds is None else rounds
    return {"password_hash": _hash(encode_password(password), chosen)}


def check_password(password: Secret, password_hash: Secret) -> PasswordCheck:
    """Perform `check_password`.

    Raises:
        PasswordRefused: The hash is not one of bcrypt, or the password has a NUL byte.
    """
    parts = parse_hash(encode_hash(password_hash))
    is_outdated = parts.prefix != _PREFIX or parts.rounds < current_settings().passwords.rounds
    return {"valid": _matches(encode_password(password), parts), "needs_rehash": is_outdated}


def _hash(password: bytes, rounds: int) -> str:
    check_hashable(password)
    check_rounds(rounds, testing=current_settings().debug.testing)
    salt = bcrypt.gensalt(rounds, prefix=_PREFIX.encode())
    return bcrypt.hashpw(password, salt).decode()


def _matches(password: bytes, parts: BcryptHash) -> bool:
    again = bcrypt.hashpw(truncate_password(password), parts.setting)
    return hmac.compare_digest(again[-len(parts.digest) :], parts.digest)
