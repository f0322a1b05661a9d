"""What bcrypt can take: which passwords, how many rounds, which hashes; without bcrypt itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from catfeeder.errors import CatFeederError
from catfeeder.sealing import Secret

#: bcrypt reads no further.
MAXIMUM_BYTES: Final = 72
#: Fewer rounds than OWASP's floor are for tests, where ten would take most of the time.
LEAST_ROUNDS: Final = 10
LEAST_ROUNDS_IN_TESTS: Final = 4
#: Sixteen take about five seconds of a core, and nothing can stop them once begun.
MOST_ROUNDS: Final = 16

_HASH: Final = re.compile(
    rb"\$(?P<prefix>2[aby])\$(?P<rounds>[0-9]{2})\$"
    rb"(?P<salt>[./A-Za-z0-9]{22})(?P<digest>[./A-Za-z0-9]{31})"
)
_BASE64: Final = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#: Only the first two of its six bits belong to the salt's 128.
_LAST_SALT_BITS: Final = 0b110000


class PasswordRefused(CatFeederError, ValueError):
    """The password cannot be used."""

    message = "The password cannot be used."


class PasswordTooLong(PasswordRefused):
    """The password is too long for bcrypt."""

    message = "The password is too long for bcrypt."

    def __init__(self, length: int) -> None:
        """Take how many bytes it has."""
        super().__init__(
            f"The password has {length} bytes in UTF-8; bcrypt would ignore all but the first "
            f"{MAXIMUM_BYTES}, so a longer one cannot be hashed."
        )


class PasswordHasNul(PasswordRefused):
    """The password holds a NUL byte, where bcrypt ends it: "ab", NUL, "ab" would pass for "ab"."""

    message = (
        'The password holds a NUL byte, where bcrypt ends it: "ab", NUL, "ab" would pass for "ab".'
    )


class PasswordNotText(PasswordRefused):
    """The password holds half of a surrogate pair, which is no character and has no UTF-8."""

    message = "The password holds half of a surrogate pair, which is no character and has no UTF-8."


class PasswordHashInvalid(PasswordRefused):
    """The password hash is not one of bcrypt: 60 characters that begin with $2a$, $2b$ or $2y$."""

    message = (
        "The password hash is not one of bcrypt: 60 characters that begin with $2a$, $2b$ or $2y$."
    )


class PasswordHashTooSlow(PasswordRefused):
    """The password hash has more than 16 rounds; each one more doubles the time of a check."""

    message = (
        "The password hash has more than 16 rounds; each one more doubles the time of a check."
    )


class RoundsOutOfRange(PasswordRefused):
    """The number of rounds cannot be used."""

    message = "The number of rounds cannot be used."

    def __init__(self, least: int) -> None:
        """Take the least number that may be used here."""
        super().__init__(f"rounds must be a whole number from {least} to {MOST_ROUNDS}.")


@dataclass(frozen=True, slots=True)
class BcryptHash:
    """The parts of a bcrypt hash."""

    prefix: str
    rounds: int
    salt: bytes
    digest: bytes

    @property
    def setting(self) -> bytes:
        """What tells bcrypt to hash another password in the same way."""
        # Passlib before 1.5.3 left the salt's last four bits as they came; bcrypt insists on zeros.
        last = _BASE64[_BASE64.index(self.salt[-1:]) & _LAST_SALT_BITS]
        return b"$%s$%02d$%s%c" % (self.prefix.encode(), self.rounds, self.salt[:-1], last)


def password_bytes(password: object) -> bytes:
    """Return the bytes of a password, those of text in UTF-8.

    Raises:
        TypeError: It is neither text nor bytes.
        PasswordNotText: It is text that has no UTF-8.
    """
    try:
        return _bytes_of(password, "password")
    except UnicodeEncodeError:
        raise PasswordNotText from None


def hash_bytes(password_hash: object) -> bytes:
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
    if len(password) > MAXIMUM_BYTES:
        raise PasswordTooLong(len(password))
    _check_nul(password)


def compared_part(password: bytes) -> bytes:
    """Return what is compared of a password: what older libraries hashed of a long one.

    Raises:
        PasswordHasNul: It holds a NUL byte.
    """
    _check_nul(password)
    return password[:MAXIMUM_BYTES]


def _check_nul(password: bytes) -> None:
    if b"\0" in password:
        raise PasswordHasNul


def check_rounds(rounds: object, *, testing: bool) -> None:
    """Make sure that a password may be hashed with so many rounds.

    Raises:
        RoundsOutOfRange: There are too few to be safe, or too many to wait for.
    """
    least = LEAST_ROUNDS_IN_TESTS if testing else LEAST_ROUNDS
    if not isinstance(rounds, int) or not least <= rounds <= MOST_ROUNDS:
        raise RoundsOutOfRange(least)


def read_hash(password_hash: bytes) -> BcryptHash:
    """Take a bcrypt hash apart.

    Raises:
        PasswordHashInvalid: It is not one of the kinds that can be checked.
        PasswordHashTooSlow: Checking it would keep a core busy for too long.
    """
    parts = _HASH.fullmatch(password_hash)
    # bcrypt itself begins at four rounds.
    if parts is None or int(parts["rounds"]) < LEAST_ROUNDS_IN_TESTS or int(parts["rounds"]) > 31:
        raise PasswordHashInvalid
    if int(parts["rounds"]) > MOST_ROUNDS:
        raise PasswordHashTooSlow
    return BcryptHash(
        parts["prefix"].decode(), int(parts["rounds"]), parts["salt"], parts["digest"]
    )
