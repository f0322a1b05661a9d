"""Digests of breach lists: SHA-1 or NTLM of a password, and the lines that lists have of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from actors.passwords.breaches.md4 import hash_md4
from actors.passwords.errors import BreachListInvalid

#: Windows takes no longer ones, so no list has their NTLM.
_MAXIMUM_NTLM_CHARACTERS: Final = 256
#: A hash, and how often it was seen, as Have I Been Pwned writes them; others leave the count out.
LINE: Final = re.compile(rb"(?P<hash>[0-9A-Fa-f]+)(?::(?P<count>[0-9]{1,12}))?\r?")
#: How many digits choose a range, and are left out of its lines.
PREFIX_DIGITS: Final = 5
#: Longer than any line.
LINE_BYTES: Final = 64
NO_LINE: Final = "has a line that is not HASH:count, in SHA-1 or NTLM"
_BEHIND_HASH: Final = frozenset({b":", b"\r", b""})


class Algorithm(IntEnum):
    """What a list is of; the number is its place in the file of a filter."""

    SHA1 = 1
    NTLM = 2

    @property
    def digits(self) -> int:
        """How many hexadecimal digits a hash has."""
        return 40 if self is Algorithm.SHA1 else 32

    @classmethod
    def of_line(cls, line: bytes, digits_before: int = 0) -> Self:
        """Return what a line of a list is of, which may lack its first digits.

        Raises:
            BreachListInvalid: It is no such line.
        """
        parts = LINE.fullmatch(line)
        for each in cls:
            if parts is not None and len(parts["hash"]) + digits_before == each.digits:
                return each
        raise BreachListInvalid(NO_LINE)


@dataclass(frozen=True, slots=True)
class Hit:
    """A password that a list has, and how often it was seen; None where the list does not say."""

    count: int | None


def hash_password(password: bytes, algorithm: Algorithm) -> bytes | None:
    """Return the digest of a password in UTF-8; None where no list can have it."""
    if algorithm is Algorithm.SHA1:
        return hashlib.sha1(password, usedforsecurity=False).digest()
    text = password.decode(errors="surrogateescape")
    if len(text) > _MAXIMUM_NTLM_CHARACTERS:
        return None
    return hash_md4(text.encode("utf-16-le", errors="surrogatepass"))


def find_line(lines: bytes, wanted: bytes) -> Hit | None:
    """Return what the line says that begins with these digits, in capitals.

    None where there is none, and for padding, whose count is 0.
    """
    at = lines.upper().find(wanted)
    parts = None if at < 0 else LINE.fullmatch(lines[at:].partition(b"\n")[0])
    if parts is None or (parts["count"] is not None and not int(parts["count"])):
        return None
    return Hit(None if parts["count"] is None else int(parts["count"]))


def find_in_range(lines: bytes, digest: bytes, algorithm: Algorithm) -> Hit | None:
    """Return what the lines of a digest's range say of it, or None; they may be none.

    Raises:
        BreachListInvalid: They are another text, or of another algorithm.
    """
    first = lines.partition(b"\n")[0]
    if lines and Algorithm.of_line(first, PREFIX_DIGITS) is not algorithm:
        raise BreachListInvalid(f"is of another algorithm than {algorithm.name}")
    return find_line(lines, digest.hex().upper()[PREFIX_DIGITS:].encode())


def join_digests(lines: Sequence[bytes], digits: int, minimum_count: int) -> bytes:
    """Return the digests of the lines that were seen so often, one behind the other.

    Raises:
        BreachListInvalid: One is no line of a hash with so many digits.
    """
    if minimum_count > 1 or any(line.rstrip().endswith(b":0") for line in lines):
        lines = [line for line in lines if _is_frequent(line, max(1, minimum_count))]
    if not {line[digits : digits + 1] for line in lines} <= _BEHIND_HASH:
        raise BreachListInvalid(NO_LINE)
    try:
        joined = bytes.fromhex(b"".join([line[:digits] for line in lines]).decode())
    except ValueError:
        raise BreachListInvalid(NO_LINE) from None
    if len(joined) * 2 != len(lines) * digits:
        raise BreachListInvalid(NO_LINE)
    return joined


def _is_frequent(line: bytes, minimum_count: int) -> bool:
    _, colon, count = line.partition(b":")
    return not colon or not count.strip().isdigit() or int(count) >= minimum_count
