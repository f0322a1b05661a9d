"""MD4 (RFC 1320), on which NTLM hashes rest: OpenSSL 3 has left it out. It protects nothing."""

from __future__ import annotations

import struct
from typing import Final

_MASK: Final = 0xFFFFFFFF
_START: Final = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_BLOCK_BYTES: Final = 64
#: For each of three rounds: what is added, the order of the words, and the four rotations.
_ROUNDS: Final = (
    (0, tuple(range(16)), (3, 7, 11, 19)),
    (0x5A827999, (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), (3, 5, 9, 13)),
    (0x6ED9EBA1, (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15), (3, 9, 11, 15)),
)


def hash_md4(data: bytes) -> bytes:
    """Return the 16 bytes of MD4."""
    padding = b"\x80" + bytes((55 - len(data)) % _BLOCK_BYTES)
    padded = data + padding + struct.pack("<Q", 8 * len(data) & (1 << 64) - 1)
    state: tuple[int, ...] = _START
    for at in range(0, len(padded), _BLOCK_BYTES):
        state = _add_block(state, struct.unpack_from("<16I", padded, at))
    return struct.pack("<4I", *state)


def _add_block(state: tuple[int, ...], words: tuple[int, ...]) -> tuple[int, ...]:
    a, b, c, d = state
    for number, (constant, order, rotations) in enumerate(_ROUNDS):
        for step, word in enumerate(order):
            total = a + _mix(number, b, c, d) + words[word] + constant & _MASK
            turned = rotations[step % 4]
            a, b, c, d = d, (total << turned | total >> 32 - turned) & _MASK, b, c
    return tuple(one + other & _MASK for one, other in zip(state, (a, b, c, d), strict=True))


def _mix(number: int, x: int, y: int, z: int) -> int:
    """Return F, G or H of RFC 1320 section 3.4."""
    if number == 0:
        return x & y | ~x & z
    if number == 1:
        return x & y | x & z | y & z
    return x ^ y ^ z
