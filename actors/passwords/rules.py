"""bcrypt's limits: which passwords, rounds and hashes it can take; loads no bcrypt itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from actors.passwords.errors import (
    MAXIMUM_BYTES,
    PasswordHashInvalid,
    PasswordHashTooSlow,
    PasswordHasNul,
    PasswordNotText,
    PasswordTooLong,
    RoundsOutOfRange,
)
from catfeeder.sealing import Secret
from config import current_settings

#: Fewer rounds than OWASP's floor are for tests, where ten would take most of the time.
MINIMUM_ROUNDS: Final = 10
MINIMUM_ROUNDS_IN_TESTS: Final = 4
#: Sixteen take about five seconds of a core, and nothing can stop them once begun.
MAXIMUM_ROUNDS: Final = 16

_HASH: Final = re.compile(
    rb"\$(?P<prefix>2[aby])\$(?P<rounds>[0-9]{2})\$"
    rb"(?P<salt>[./A-Za-z0-9]{22})(?P<digest>[./A-Za-z0-9]{31})"
)
_BASE64: Final = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#: Only the first two of its six bits belong to the salt's 128.
_LAST_SALT_BITS: Final = 0b110000


@dataclass(frozen=True, slots=True)
class BcryptHash:
    """The parts of a bcrypt hash."""

    prefix: str
    rounds: int
    salt: bytes
    digest: bytes

    @property
    def setting(self) -> bytes:
        """The algorithm, rounds and salt, from which bcrypt hashes another password."""
        # Passlib before 1.5.3 left the salt's last four bits as they came; bcrypt insists on zeros.
        last = _BASE64[_BASE64.index(self.salt[-1:]) & _LAST_SALT_BITS]
        return b"$%s$%02d$%s%c" % (self.prefix.encode(), self.rounds, self.salt[:-1], last)


def encode_password(password: object) -> bytes:
    """Return the bytes of a password, those of text in UTF-8.

    Raises:
        TypeError: It is neither text nor bytes.
        PasswordNotText: It is text that has no UTF-8.
    """
    try:
        return _bytes_of(password, "password")
    except UnicodeEncodeError:
        raise PasswordNotText from None


def encode_hash(password_hash: object) -> bytes:
    """Return the bytes of a password hash.

    Raises:
        TypeError: It is neither text nor bytes.
        PasswordHashInvalid: It is text that has no UTF-8.
    """
    try:
        return _bytes_of(password_hash, "password hash")
    except UnicodeEncodeError:
        raise PasswordHashInvalid from None


def _bytes_of(value: object, what: str) -> bytes:
    match value:
        case bytes():
            return value
        case str():
            return value.encode()
        case Secret():
            return value.reveal_bytes()
    raise TypeError(f"a {what} must be str or bytes, not {type(value).__name__}")


def check_hashable(password: bytes) -> None:
    """Make sure that bcrypt hashes all of a password.

    Raises:
        PasswordTooLong: It would ignore the end.
        PasswordHasNul: It would stop in the middle.
    """
    if not can_hash(password):
        raise PasswordTooLong(len(password))
    _check_nul(password)


def can_hash(password: bytes) -> bool:
    """Return whether bcrypt reads all bytes of a password, if none is NUL."""
    return len(password) <= MAXIMUM_BYTES


def truncate_password(password: bytes) -> bytes:
    """Return the first 72 bytes of a password: older libraries hashed those of a longer one.

    Raises:
        PasswordHasNul: It holds a NUL byte.
    """
    _check_nul(password)
    return password[:MAXIMUM_BYTES]


def _check_nul(password: bytes) -> None:
    if b"\0" in password:
        raise PasswordHasNul


def check_rounds(rounds: object, *, testing: bool, maximum: int = MAXIMUM_ROUNDS) -> None:
    """Make sure that a password may be hashed with so many rounds; `testing` allows cheap hashes.

    Raises:
        RoundsOutOfRange: There are too few to be safe, or too many to wait for.
    """
    minimum = MINIMUM_ROUNDS_IN_TESTS if testing else MINIMUM_ROUNDS
    if not isinstance(rounds, int) or not minimum <= rounds <= maximum:
        raise RoundsOutOfRange(minimum, maximum)


def find_maximum_rounds(bound: int | None) -> int:
    """Return the most rounds of a hash for an app of this bound.

    The configured rounds are always among them: a hash that the service has made can be checked,
    also where an operator has raised those rounds above the bound.
    """
    if bound is None:
        return MAXIMUM_ROUNDS
    return max(bound, current_settings().passwords.rounds)


def parse_hash(password_hash: bytes, maximum: int = MAXIMUM_ROUNDS) -> BcryptHash:
    """Return the parts of a bcrypt hash of at most `maximum` rounds.

    Raises:
        PasswordHashInvalid: It is not one of the kinds that can be checked.
        PasswordHashTooSlow: Checking it would keep a core busy for too long.
    """
    parts = _HASH.fullmatch(password_hash)
    # bcrypt itself begins at four rounds.
    if parts is None or int(parts["rounds"]) < MINIMUM_ROUNDS_IN_TESTS or int(parts["rounds"]) > 31:
        raise PasswordHashInvalid
    if int(parts["rounds"]) > maximum:
        raise PasswordHashTooSlow(maximum)
    return BcryptHash(
        parts["prefix"].decode(), int(parts["rounds"]), parts["salt"], parts["digest"]
    )
