"""Derivation of hashes: the one module that loads bcrypt and Argon2."""

from __future__ import annotations

import base64
import functools
import hmac
import os
import time
from typing import Final

import bcrypt
from argon2 import low_level

from actors.passwords.memory import BUDGET
from actors.passwords.pepper import Pepper, find_pepper
from actors.passwords.schemes import DIGEST_BYTES, PREFIX, SALT_BYTES, Argon2Scheme, Scheme
from actors.passwords.stored.argon2_forms import CURRENT_VERSION, Argon2Hash
from actors.passwords.stored.bcrypt_forms import BcryptHash
from actors.passwords.stored.form import StandardLibraryHash, StoredHash
from actors.passwords.stored.peppered import PepperedHash, strip_pepper, write_peppered
from config import current_settings

_KINDS: Final = {
    "id": low_level.Type.ID,
    "i": low_level.Type.I,
    "d": low_level.Type.D,
}
#: A few milliseconds at the start of a process; the quickest of the measurements counts.
_MEASURED_ROUNDS: Final = 5
_MEASUREMENTS: Final = 3
_CLOCK_SECONDS: Final = 1e-6


def is_of(password: bytes, stored: StoredHash) -> bool:
    """Return whether a hash is of these bytes, in a time that does not depend on how near they are.

    It waits until the process has memory for the check.

    Raises:
        PepperUnknown: The hash was made with a pepper that this process does not have.
    """
    if isinstance(stored, PepperedHash):
        password = find_pepper(stored.key_id).apply(password)
    with BUDGET.borrow(stored.memory_kib, current_settings().passwords.memory_mib * 1024):
        again = _derive(password, strip_pepper(stored))
    return again is not None and hmac.compare_digest(again, stored.digest)


def _derive(password: bytes, stored: StoredHash) -> bytes | None:
    match stored:
        case BcryptHash():
            prepared = stored.prepare(password)
            return None if prepared is None else _derive_bcrypt(prepared, stored)
        case Argon2Hash():
            return _derive_argon2(password, stored)
        case StandardLibraryHash():
            return stored.derive(password)
    raise TypeError(type(stored).__name__)


def _derive_bcrypt(password: bytes, stored: BcryptHash) -> bytes:
    return bcrypt.hashpw(password, stored.setting)[-len(stored.digest) :]


def _derive_argon2(password: bytes, stored: Argon2Hash) -> bytes:
    return low_level.hash_secret_raw(
        password,
        stored.salt,
        time_cost=stored.passes,
        memory_cost=stored.memory,
        parallelism=stored.lanes,
        hash_len=len(stored.digest),
        type=_KINDS[stored.kind],
        version=stored.version,
    )


def make_hash(password: bytes, scheme: Scheme, pepper: Pepper | None = None) -> str:
    """Return a new hash, with a salt of its own; waits until the process has memory for it."""
    if pepper is None:
        return _make_bare_hash(password, scheme)
    return write_peppered(_make_bare_hash(pepper.apply(password), scheme), pepper.key_id)


def _make_bare_hash(password: bytes, scheme: Scheme) -> str:
    if isinstance(scheme, Argon2Scheme):
        made = _make_dummy_argon2(scheme)
        with BUDGET.borrow(made.memory_kib, current_settings().passwords.memory_mib * 1024):
            return _write_argon2(made, _derive_argon2(password, made))
    salt = bcrypt.gensalt(scheme.rounds, prefix=PREFIX.encode())
    return bcrypt.hashpw(password, salt).decode()


def make_dummy(scheme: Scheme, pepper: Pepper | None = None) -> StoredHash:
    """Return a hash that costs what a real one does; its digest is that of no known password."""
    bare = _make_bare_dummy(scheme)
    return bare if pepper is None else PepperedHash(bare.digest, bare, pepper.key_id)


def _make_bare_dummy(scheme: Scheme) -> BcryptHash | Argon2Hash:
    if isinstance(scheme, Argon2Scheme):
        return _make_dummy_argon2(scheme)
    salt = bcrypt.gensalt(scheme.rounds, prefix=PREFIX.encode())[-22:]
    return BcryptHash(b"." * 31, PREFIX, scheme.rounds, salt)


def _make_dummy_argon2(scheme: Argon2Scheme) -> Argon2Hash:
    return Argon2Hash(
        os.urandom(DIGEST_BYTES),
        "id",
        CURRENT_VERSION,
        scheme.memory_kib,
        scheme.passes,
        scheme.lanes,
        os.urandom(SALT_BYTES),
    )


def _write_argon2(made: Argon2Hash, digest: bytes) -> str:
    """Return the PHC string of a hash."""
    numbers = f"m={made.memory},t={made.passes},p={made.lanes}"
    salt, tag = (base64.b64encode(part).decode().rstrip("=") for part in (made.salt, digest))
    return f"$argon2{made.kind}$v={made.version}${numbers}${salt}${tag}"


@functools.cache
def measure_rounds_per_second() -> float:
    """Return how many rounds of bcrypt's key schedule a core of this machine makes in a second."""
    salt = bcrypt.gensalt(_MEASURED_ROUNDS)
    seconds = []
    for _ in range(_MEASUREMENTS):
        began = time.thread_time()
        bcrypt.hashpw(b"", salt)
        seconds.append(time.thread_time() - began)
    return (1 << _MEASURED_ROUNDS) / max(min(seconds), _CLOCK_SECONDS)
