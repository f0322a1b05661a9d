"""Table of families: every form of hash that can be checked, in the order that they are tried."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from actors.passwords.errors import (
    PasswordHashInvalid,
    PasswordHashTooLarge,
    PasswordHashTooSlow,
)
from actors.passwords.stored.argon2_forms import parse_argon2
from actors.passwords.stored.bcrypt_forms import parse_bcrypt
from actors.passwords.stored.digests import find_digest, parse_salted_ldap
from actors.passwords.stored.form import StoredHash
from actors.passwords.stored.keycloak import parse_keycloak
from actors.passwords.stored.pbkdf2_forms import parse_pbkdf2
from actors.passwords.stored.peppered import parse_peppered
from actors.passwords.stored.phpass import parse_phpass
from actors.passwords.stored.scrypt_forms import parse_scrypt
from actors.passwords.stored.sha_crypt import parse_sha_crypt

Parser = Callable[[str], StoredHash | None]

#: Longer text is no hash; Keycloak's JSON has some 500 characters.
_MAXIMUM_LENGTH: Final = 4096
_PARSERS: Final[tuple[Parser, ...]] = (
    parse_bcrypt,
    parse_argon2,
    parse_peppered,
    parse_scrypt,
    parse_pbkdf2,
    parse_sha_crypt,
    parse_phpass,
    parse_salted_ldap,
    parse_keycloak,
)


def parse_stored_hash(
    password_hash: bytes,
    *,
    maximum_rounds: int,
    maximum_cost: int,
    memory_kib: int,
    digests: Collection[str] = (),
    length: int = 0,
) -> StoredHash:
    """Return the parts of a hash that may be checked within the bounds of cost and memory.

    `length` is that of the password, in bytes.

    Raises:
        PasswordHashInvalid: It is of no form that can be checked.
        PasswordHashTooSlow: A check would take longer than `maximum_cost`.
        PasswordHashTooLarge: It would need more memory than this.
    """
    found = _parse(password_hash, digests)
    if found is None:
        raise PasswordHashInvalid
    if found.cost_of(length) > maximum_cost:
        raise PasswordHashTooSlow(maximum_rounds)
    if found.memory_kib > memory_kib:
        raise PasswordHashTooLarge(memory_kib // 1024)
    return found


def _parse(password_hash: bytes, digests: Collection[str]) -> StoredHash | None:
    if len(password_hash) > _MAXIMUM_LENGTH or not password_hash.isascii():
        return None
    text = password_hash.decode()
    for parse in _PARSERS:
        if found := parse(text):
            return found
    named = find_digest(text)
    return named[1] if named is not None and named[0] in digests else None
