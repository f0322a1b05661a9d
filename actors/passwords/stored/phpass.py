"""phpass: portable hashes of WordPress and phpBB ($P$, $H$), and Drupal 7's of SHA-512 ($S$)."""

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
_DIGESTS_PER_ROUND: Final = {"md5": 200, "sha512": 80}
_PATTERN: Final = re.compile(
    r"\$(?P<kind>[PHS])\$(?P<log_rounds>[./0-9A-Za-z])(?P<salt>[./0-9A-Za-z]{8})"
    r"(?P<digest>[./0-9A-Za-z]{22}|[./0-9A-Za-z]{43})",
    re.ASCII,
)
_LOG_ROUNDS: Final = range(7, 31)


@dataclass(frozen=True, slots=True, repr=False)
class PhpassHash(StandardLibraryHash):
    """The parts of a portable hash."""

    algorithm: str
    log_rounds: int
    salt: bytes

    @property
    def cost(self) -> int:
        """Digests."""
        return divide_cost(1 << self.log_rounds, _DIGESTS_PER_ROUND[self.algorithm])

    def cost_of(self, length: int) -> int:
        """Each round digests the password."""
        return repeat_cost(self.cost, length)

    def derive(self, password: bytes) -> bytes | None:
        """Return the digest in phpass's alphabet, of which Drupal keeps the beginning."""
        if len(password) > REPEATED_BYTES:
            return None
        digest = getattr(hashlib, self.algorithm)
        last: bytes = digest(self.salt + password).digest()
        for _ in range(1 << self.log_rounds):
            last = digest(last + password).digest()
        return _encode(last)[: len(self.digest)]


def parse_phpass(text: str) -> PhpassHash | None:
    """Return a portable hash; None for any other text."""
    parts = _PATTERN.fullmatch(text)
    if parts is None:
        return None
    algorithm, length = ("sha512", 43) if parts["kind"] == "S" else ("md5", 22)
    log_rounds = _ALPHABET.index(parts["log_rounds"].encode())
    if log_rounds not in _LOG_ROUNDS or len(parts["digest"]) != length:
        return None
    return PhpassHash(parts["digest"].encode(), algorithm, log_rounds, parts["salt"].encode())


def _encode(digest: bytes) -> bytes:
    encoded = bytearray()
    for at in range(0, len(digest), 3):
        three = digest[at : at + 3]
        value = int.from_bytes(three, "little")
        encoded += bytes(_ALPHABET[value >> 6 * place & 0x3F] for place in range(len(three) + 1))
    return bytes(encoded)
