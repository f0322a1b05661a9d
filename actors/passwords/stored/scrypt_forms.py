"""scrypt's forms (RFC 7914): PHC, passlib, crypt(3), Django, Werkzeug, Spring, and Firebase's."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from actors.passwords.stored.form import (
    StandardLibraryHash,
    decode_base64,
    decode_hex,
    divide_cost,
)
from catfeeder.sealing import encrypt_in_counter_mode

#: One round of bcrypt takes as long as so many blocks, N times r times p, of 128 bytes.
_BLOCKS_PER_ROUND: Final = 200
#: What PBKDF2 before and behind takes as long as, for each lane.
_BLOCKS_AROUND: Final = 8
#: What OpenSSL needs beside the blocks themselves.
_SPARE_BYTES: Final = 1 << 20
#: OpenSSL's limit of memory is an int of C.
_MAXIMUM_BYTES: Final = (1 << 31) - 1
_MAXIMUM_LOG_N: Final = 31
_B64: Final = "[A-Za-z0-9+/]"
_H64: Final = "[./0-9A-Za-z]"
_DIGITS: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PHC: Final = re.compile(
    r"\$scrypt\$ln=(?P<log_n>[1-9][0-9]?),r=(?P<r>[1-9][0-9]{0,4}),p=(?P<p>[1-9][0-9]{0,4})"
    rf"\$(?P<salt>{_B64}{{0,1024}})\$(?P<digest>{_B64}{{22,128}})",
    re.ASCII,
)
#: The salt is text.
_DJANGO: Final = re.compile(
    r"scrypt\$(?P<n>[1-9][0-9]{0,9})\$(?P<salt>[^$]{1,128})\$(?P<r>[1-9][0-9]{0,4})\$(?P<p>[1-9][0-9]{0,4})"
    rf"\$(?P<digest>{_B64}{{22,128}}={{0,2}})",
    re.ASCII,
)
_WERKZEUG: Final = re.compile(
    r"scrypt:(?P<n>[1-9][0-9]{0,9}):(?P<r>[1-9][0-9]{0,4}):(?P<p>[1-9][0-9]{0,4})"
    r"\$(?P<salt>[^$]{1,128})\$(?P<digest>[0-9a-f]{32,256})",
    re.ASCII,
)
_SPRING: Final = re.compile(
    r"\{scrypt(?:@SpringSecurity_v5_8)?\}\$(?P<parameters>[0-9a-f]{1,8})"
    rf"\$(?P<salt>{_B64}{{11,128}}={{0,2}})\$(?P<digest>{_B64}{{22,128}}={{0,2}})",
    re.ASCII,
)
#: As Supabase's exports and imports spell the parameters of a Firebase project.
_FIREBASE: Final = re.compile(
    r"\$fbscrypt\$v=1,n=(?P<log_n>[1-9][0-9]?),r=(?P<r>[1-9][0-9]{0,4}),p=(?P<p>[1-9][0-9]{0,4})"
    rf"(?:,ss=(?P<separator>{_B64}{{0,128}}={{0,2}}))?,sk=(?P<key>{_B64}{{22,512}}={{0,2}})"
    rf"\$(?P<salt>{_B64}{{2,128}}={{0,2}})\$(?P<digest>{_B64}{{22,512}}={{0,2}})",
    re.ASCII,
)
#: Of crypt(3) and libsodium: logarithm of N, r and p in its own digits; the salt is text.
_CRYPT: Final = re.compile(
    rf"\$7\$(?P<log_n>{_H64})(?P<r>{_H64}{{5}})(?P<p>{_H64}{{5}})"
    rf"(?P<salt>[!-#%-~]{{0,128}})\$(?P<digest>{_H64}{{43}})",
    re.ASCII,
)
_FIREBASE_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, repr=False)
class ScryptHash(StandardLibraryHash):
    """The parts of a scrypt hash; with a `signer_key`, Firebase's."""

    n: int
    r: int
    p: int
    salt: bytes
    signer_key: bytes = b""

    @property
    def cost(self) -> int:
        """Blocks that are mixed."""
        return divide_cost((self.n + _BLOCKS_AROUND) * self.r * self.p, _BLOCKS_PER_ROUND)

    @property
    def memory_kib(self) -> int:
        """The blocks of one lane, of 128 bytes each."""
        return self.r * (self.n + self.p) // 8

    def derive(self, password: bytes) -> bytes:
        """Return scrypt's key; Firebase's encrypts the signer key with it (AES-256, CTR)."""
        maximum = 128 * self.r * (self.n + self.p + 2) + _SPARE_BYTES
        length = _FIREBASE_KEY_BYTES if self.signer_key else len(self.digest)
        key = hashlib.scrypt(
            password, salt=self.salt, n=self.n, r=self.r, p=self.p, maxmem=maximum, dklen=length
        )
        return encrypt_in_counter_mode(key, self.signer_key) if self.signer_key else key


def parse_scrypt(text: str) -> ScryptHash | None:
    """Return a scrypt hash; None for any other text, and for numbers that scrypt cannot use."""
    for pattern, build in _FORMS:
        if parts := pattern.fullmatch(text):
            found = build(parts)
            return found if found is not None and _is_usable(found) else None
    return None


def _is_usable(found: ScryptHash) -> bool:
    is_power = found.n > 1 and found.n & (found.n - 1) == 0
    is_numbered = is_power and found.r > 0 and found.p > 0 and found.r * found.p < 1 << 30
    needed = 128 * found.r * (found.n + found.p + 2) + _SPARE_BYTES
    # RFC 7914 section 2: N is less than 2 to the power of 16 r.
    return is_numbered and found.n.bit_length() - 1 < 16 * found.r and needed <= _MAXIMUM_BYTES


def _build(
    parts: re.Match[str], n: int, salt: bytes | None, digest: bytes | None
) -> ScryptHash | None:
    if salt is None or digest is None:
        return None
    return ScryptHash(digest, n, int(parts["r"]), int(parts["p"]), salt)


def _build_phc(parts: re.Match[str]) -> ScryptHash | None:
    n = 1 << min(int(parts["log_n"]), _MAXIMUM_LOG_N)
    return _build(parts, n, decode_base64(parts["salt"]), decode_base64(parts["digest"]))


def _build_django(parts: re.Match[str]) -> ScryptHash | None:
    return _build(parts, int(parts["n"]), parts["salt"].encode(), decode_base64(parts["digest"]))


def _build_werkzeug(parts: re.Match[str]) -> ScryptHash | None:
    return _build(parts, int(parts["n"]), parts["salt"].encode(), decode_hex(parts["digest"]))


def _build_spring(parts: re.Match[str]) -> ScryptHash | None:
    # One number of two bytes, one and one: the logarithm of N, r and p.
    numbers = int(parts["parameters"], 16)
    log_n, r, p = numbers >> 16, numbers >> 8 & 0xFF, numbers & 0xFF
    salt, digest = decode_base64(parts["salt"]), decode_base64(parts["digest"])
    if salt is None or digest is None:
        return None
    return ScryptHash(digest, 1 << min(log_n, _MAXIMUM_LOG_N), r, p, salt)


def _build_firebase(parts: re.Match[str]) -> ScryptHash | None:
    found = _build_phc(parts)
    separator, key = decode_base64(parts["separator"] or ""), decode_base64(parts["key"])
    if found is None or separator is None or key is None or len(key) != len(found.digest):
        return None
    return ScryptHash(found.digest, found.n, found.r, found.p, found.salt + separator, key)


def _build_crypt(parts: re.Match[str]) -> ScryptHash | None:
    log_n, r, p, digest = (_read_digits(parts[name]) for name in ("log_n", "r", "p", "digest"))
    if digest >> 256:
        return None
    n = 1 << min(log_n, _MAXIMUM_LOG_N)
    return ScryptHash(digest.to_bytes(32, "little"), n, r, p, parts["salt"].encode())


def _read_digits(text: str) -> int:
    """Return the number whose digits to the base of 64, the lowest first, crypt(3) has written."""
    return sum(_DIGITS.index(digit) << 6 * place for place, digit in enumerate(text))


_FORMS: Final = (
    (_PHC, _build_phc),
    (_CRYPT, _build_crypt),
    (_DJANGO, _build_django),
    (_WERKZEUG, _build_werkzeug),
    (_SPRING, _build_spring),
    (_FIREBASE, _build_firebase),
)
