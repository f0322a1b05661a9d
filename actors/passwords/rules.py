"""Limits of passwords and hashes: what can be hashed and checked; loads no bcrypt and no Argon2."""

from __future__ import annotations

from typing import Final

from actors.passwords.errors import (
    MAXIMUM_BYTES,
    PasswordHashInvalid,
    PasswordHasNul,
    PasswordNotText,
    PasswordTooLong,
    RoundsOutOfRange,
)
from actors.passwords.schemes import MAXIMUM_ROUNDS, configured_scheme
from actors.passwords.stored.families import parse_stored_hash
from actors.passwords.stored.form import StoredHash
from catfeeder.sealing import Secret
from config import current_settings

#: Fewer rounds than OWASP's floor are for tests, where ten would take most of the time.
MINIMUM_ROUNDS: Final = 10
MINIMUM_ROUNDS_IN_TESTS: Final = 4


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


def check_hashable(password: bytes, read_bytes: int | None = MAXIMUM_BYTES) -> None:
    """Make sure that a scheme which reads so many bytes hashes all of a password.

    Raises:
        PasswordTooLong: It would ignore the end.
        PasswordHasNul: bcrypt would stop in the middle, and no scheme takes what another cannot.
    """
    if not can_hash(password, read_bytes):
        raise PasswordTooLong(len(password))
    check_nul(password)


def can_hash(password: bytes, read_bytes: int | None = MAXIMUM_BYTES) -> bool:
    """Return whether a scheme reads all bytes of a password, if none is NUL."""
    return read_bytes is None or len(password) <= read_bytes


def truncate_password(password: bytes, read_bytes: int | None = MAXIMUM_BYTES) -> bytes:
    """Return the bytes of a password that a hash is of: bcrypt's of a longer one is of 72.

    Raises:
        PasswordHasNul: It holds a NUL byte.
    """
    check_nul(password)
    return password[:read_bytes]


def check_nul(password: bytes) -> None:
    """Raise PasswordHasNul for a password with a NUL byte."""
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


def parse_hash(
    password_hash: bytes, maximum: int = MAXIMUM_ROUNDS, *, length: int = 0
) -> StoredHash:
    """Return the parts of a hash that takes no longer to check than `maximum` rounds of bcrypt.

    `length` is that of the password, which some forms digest in each of their rounds.

    What the service itself makes may always be checked.

    Raises:
        PasswordHashInvalid: It is of no form that can be checked.
        PasswordHashTooSlow: Checking it would keep a core busy for too long.
        PasswordHashTooLarge: Checking it would take too much memory.
    """
    settings = current_settings().passwords
    return parse_stored_hash(
        password_hash,
        maximum_rounds=maximum,
        maximum_cost=max(1 << maximum, configured_scheme(settings).cost),
        memory_kib=settings.memory_mib * 1024,
        digests=settings.accept_digests,
        length=length,
    )
