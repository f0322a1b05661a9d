"""Stored hash: what every family of forms yields, its cost and memory known before any work."""

from __future__ import annotations

import base64
import binascii
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

#: bcrypt reads no further.
BCRYPT_BYTES: Final = 72


@dataclass(frozen=True, slots=True, repr=False)
class StoredHash(ABC):
    """A password hash, taken apart; its `repr` shows nothing of it."""

    digest: bytes

    @property
    @abstractmethod
    def cost(self) -> int:
        """The core time of one check, in rounds of bcrypt's key schedule."""

    def cost_of(self, length: int) -> int:  # noqa: ARG002
        """The same for a password of so many bytes, of which most forms make a digest once."""
        return self.cost

    @property
    def memory_kib(self) -> int:
        """The memory of one check, where that is more than a little."""
        return 0

    @property
    def read_bytes(self) -> int | None:
        """How many bytes of a password count; None for all of them."""
        return None


@dataclass(frozen=True, slots=True, repr=False)
class StandardLibraryHash(StoredHash):
    """A hash that the standard library's primitives derive."""

    @abstractmethod
    def derive(self, password: bytes) -> bytes | None:
        """Return the digest that this password has under the same parameters and salt.

        None where the form takes no password of that length.
        """


#: Software that digests all of a password in each round takes no longer ones.
REPEATED_BYTES: Final = 4096
#: What a digest reads at once: so many bytes more of a password make a round longer by itself.
_DIGESTED_BYTES: Final = 64


def repeat_cost(cost: int, length: int) -> int:
    """Return the cost of a form whose rounds each digest a password of so many bytes."""
    return cost * (1 + min(length, REPEATED_BYTES) // _DIGESTED_BYTES)


#: A parameter: a number without sign, leading zeros, or digits of other scripts.
NUMBER: Final = "[1-9][0-9]{0,9}"


def divide_cost(work: int, per_round: int) -> int:
    """Return work in rounds of bcrypt, of which each takes as long as `per_round` of it."""
    return max(1, -(-work // per_round))


def decode_base64(text: str, alternative: bytes | None = None) -> bytes | None:
    """Return the bytes of a base64 text, with or without padding; None if it is none."""
    try:
        padded = text.rstrip("=").encode() + b"=" * (-len(text.rstrip("=")) % 4)
        return base64.b64decode(padded, altchars=alternative, validate=True)
    except (binascii.Error, ValueError):
        return None


def decode_hex(text: str) -> bytes | None:
    """Return the bytes of a hexadecimal text; None if it is none."""
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        return None
