"""SHA-crypt, $5$ and $6$ of crypt(3), after its public specification by U. Drepper."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from actors.passwords.stored.form import (
    REPEATED_BYTES,
    StandardLibraryHash,
    divide_cost,
    repeat_cost,
)

_ALPHABET: Final = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DEFAULT_ROUNDS: Final = 5000
#: One round of bcrypt takes as long as so many, of which each is a digest called from Python.
_DIGESTS_PER_ROUND: Final = 80
#: And as so many bytes that are digested.
_BYTES_PER_ROUND: Final = 50_000
_PATTERN: Final = re.compile(
    r"(?:\{CRYPT\})?\$(?P<number>[56])\$(?:rounds=(?P<rounds>[1-9][0-9]{3,8})\$)?"
    r"(?P<salt>[^$\s:]{0,16})\$(?P<digest>[./0-9A-Za-z]{43}|[./0-9A-Za-z]{86})",
    re.ASCII,
)
_NAMES: Final = {"5": ("sha256", 43), "6": ("sha512", 86)}


@dataclass(frozen=True, slots=True, repr=False)
class ShaCryptHash(StandardLibraryHash):
    """The parts of a SHA-crypt hash."""

    algorithm: str
    rounds: int
    salt: bytes

    @property
    def cost(self) -> int:
        """Digests."""
        return divide_cost(self.rounds, _DIGESTS_PER_ROUND)

    def cost_of(self, length: int) -> int:
        """Each round digests the password, and before them it is digested once for each byte."""
        square = min(length, REPEATED_BYTES) ** 2
        return repeat_cost(self.cost, length) + square // _BYTES_PER_ROUND

    def derive(self, password: bytes) -> bytes | None:
        """Return the digest in the order and alphabet of crypt(3)."""
        if len(password) > REPEATED_BYTES:
            return None
        return _encode(_digest(self.algorithm, password, self.salt, self.rounds))


def parse_sha_crypt(text: str) -> ShaCryptHash | None:
    """Return a SHA-crypt hash; None for any other text."""
    parts = _PATTERN.fullmatch(text)
    if parts is None:
        return None
    algorithm, length = _NAMES[parts["number"]]
    if len(parts["digest"]) != length:
        return None
    rounds = int(parts["rounds"] or _DEFAULT_ROUNDS)
    return ShaCryptHash(parts["digest"].encode(), algorithm, rounds, parts["salt"].encode())


def _digest(algorithm: str, password: bytes, salt: bytes, rounds: int) -> bytes:
    def hash_of(data: bytes) -> bytes:
        return hashlib.new(algorithm, data).digest()

    inner = hash_of(password + salt + password)
    start = password + salt + _fill(inner, len(password))
    # Each bit of the length chooses the digest or the password.
    length = len(password)
    while length:
        start += inner if length & 1 else password
        length >>= 1
    last = hash_of(start)
    square = hashlib.new(algorithm)
    for _ in password:
        square.update(password)
    repeated = _fill(square.digest(), len(password))
    salted = _fill(hash_of(salt * (16 + last[0])), len(salt))
    return _iterate(algorithm, last, repeated, salted, rounds)


def _iterate(algorithm: str, last: bytes, repeated: bytes, salted: bytes, rounds: int) -> bytes:
    """Mix the digest with password and salt, in an order that repeats after 42 rounds."""
    digest = hashlib.sha256 if algorithm == "sha256" else hashlib.sha512
    arounds = []
    for number in range(42):
        middle = (salted if number % 3 else b"") + (repeated if number % 7 else b"")
        if number % 2:
            arounds.append((repeated + middle, b""))
        else:
            arounds.append((b"", middle + repeated))
    for number in range(rounds):
        before, behind = arounds[number % 42]
        last = digest(before + last + behind).digest()
    return last


def _fill(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


def _encode(digest: bytes) -> bytes:
    """Return 6 bits a character, of three bytes at a time that stand a third of it apart."""
    third = len(digest) // 3
    step = 1 if len(digest) == 64 else 2
    encoded = bytearray()
    at = [0, third, 2 * third]
    for _ in range(third):
        encoded += _encode_group([digest[index] for index in at], 4)
        at = at[step:] + at[:step]
        at = [index + 1 for index in at]
    rest = list(digest[3 * third :])
    # What is left over stands behind, last byte first.
    rest.reverse()
    return bytes(encoded + _encode_group([0] * (3 - len(rest)) + rest, len(rest) + 1))


def _encode_group(three: list[int], count: int) -> bytes:
    value = three[0] << 16 | three[1] << 8 | three[2]
    return bytes(_ALPHABET[value >> 6 * place & 0x3F] for place in range(count))
