"""PBKDF2's forms (RFC 8018): Django, passlib, Atlassian, Werkzeug, ASP.NET Identity, Spring."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from actors.passwords.stored.form import (
    StandardLibraryHash,
    decode_base64,
    decode_hex,
    divide_cost,
)

#: One round of bcrypt takes as long as so many iterations for each block of the key.
_ITERATIONS_PER_ROUND: Final = {"sha1": 230, "sha224": 230, "sha256": 230, "sha384": 100}
_ITERATIONS_PER_LONG_ROUND: Final = 100
_ITERATIONS: Final = r"(?P<iterations>[1-9][0-9]{0,9})"
_B64: Final = "[A-Za-z0-9+/]"
#: Passlib writes "." in place of "+".
_AB64: Final = "[A-Za-z0-9./]"
_DJANGO: Final = re.compile(
    rf"pbkdf2_(?P<hash>sha1|sha256)\${_ITERATIONS}\$(?P<salt>[^$]{{1,128}})"
    rf"\$(?P<digest>{_B64}{{22,88}}={{0,2}})",
    re.ASCII,
)
_PASSLIB: Final = re.compile(
    rf"(?:\$pbkdf2(?:-(?P<hash>sha1|sha256|sha512))?\$|"
    rf"\{{PBKDF2(?:-(?P<ldap_hash>SHA1|SHA256|SHA512))?\}}){_ITERATIONS}"
    rf"\$(?P<salt>{_AB64}{{0,1366}})\$(?P<digest>{_AB64}{{22,88}})",
    re.ASCII,
)
_WERKZEUG: Final = re.compile(
    r"pbkdf2:(?P<hash>sha1|sha224|sha256|sha384|sha512)(?::(?P<iterations>[1-9][0-9]{0,9}))?"
    r"\$(?P<salt>[^$]{1,128})\$(?P<digest>[0-9a-f]{32,128})",
    re.ASCII,
)
#: Of Werkzeug before 2.3, which left them out where they were its default.
_WERKZEUG_DEFAULT_ITERATIONS: Final = 260_000
_ASPNET: Final = re.compile(rf"A[AQ]{_B64}{{42,254}}={{0,2}}", re.ASCII)
_ASPNET_HASHES: Final = ("sha1", "sha256", "sha512")
#: Two of passlib that share a prefix; the second has the text before the digest as its salt.
_CTA: Final = re.compile(
    r"\$p5k2\$(?P<iterations>[1-9a-f][0-9a-f]{0,7})\$(?P<salt>[A-Za-z0-9_-]{0,1366}={0,2})"
    r"\$(?P<digest>[A-Za-z0-9_-]{27}=)",
    re.ASCII,
)
_DLITZ: Final = re.compile(
    r"(?P<salt>\$p5k2\$(?P<iterations>[1-9a-f][0-9a-f]{0,7})?\$[A-Za-z0-9./]{0,1024})"
    r"\$(?P<digest>[A-Za-z0-9./]{32})",
    re.ASCII,
)
#: What it leaves out.
_DLITZ_DEFAULT_ITERATIONS: Final = "190"
_ATLASSIAN: Final = re.compile(rf"\{{PKCS5S2\}}(?P<data>{_B64}{{64}})", re.ASCII)
_SPRING: Final = re.compile(
    r"\{pbkdf2(?P<release>@SpringSecurity_v5_8)?\}(?P<text>[0-9a-f]{80}|[0-9a-f]{96})", re.ASCII
)


@dataclass(frozen=True, slots=True, repr=False)
class Pbkdf2Hash(StandardLibraryHash):
    """The parts of a PBKDF2 hash."""

    algorithm: str
    iterations: int
    salt: bytes

    @property
    def cost(self) -> int:
        """Iterations, for each block of the key."""
        blocks = -(-len(self.digest) // hashlib.new(self.algorithm).digest_size)
        per_round = _ITERATIONS_PER_ROUND.get(self.algorithm, _ITERATIONS_PER_LONG_ROUND)
        return divide_cost(self.iterations * blocks, per_round)

    def derive(self, password: bytes) -> bytes:
        """Return PBKDF2's key."""
        return hashlib.pbkdf2_hmac(
            self.algorithm, password, self.salt, self.iterations, len(self.digest)
        )


def parse_pbkdf2(text: str) -> Pbkdf2Hash | None:
    """Return a PBKDF2 hash; None for any other text."""
    for pattern, build in _FORMS:
        if parts := pattern.fullmatch(text):
            return build(parts)
    return None


def build_pbkdf2(
    algorithm: str, iterations: int, salt: bytes | None, digest: bytes | None
) -> Pbkdf2Hash | None:
    """Return a hash of these parts; None where one of them could not be read."""
    if salt is None or not digest or not 1 <= iterations < 1 << 31:
        return None
    return Pbkdf2Hash(digest, algorithm, iterations, salt)


def _build_django(parts: re.Match[str]) -> Pbkdf2Hash | None:
    digest = decode_base64(parts["digest"])
    return build_pbkdf2(parts["hash"], int(parts["iterations"]), parts["salt"].encode(), digest)


def _build_passlib(parts: re.Match[str]) -> Pbkdf2Hash | None:
    salt, digest = (decode_base64(parts[name], b"./") for name in ("salt", "digest"))
    algorithm = parts["hash"] or (parts["ldap_hash"] or "sha1").lower()
    return build_pbkdf2(algorithm, int(parts["iterations"]), salt, digest)


def _build_cta(parts: re.Match[str]) -> Pbkdf2Hash | None:
    salt, digest = (decode_base64(parts[name], b"-_") for name in ("salt", "digest"))
    return build_pbkdf2("sha1", int(parts["iterations"], 16), salt, digest)


def _build_dlitz(parts: re.Match[str]) -> Pbkdf2Hash | None:
    iterations = int(parts["iterations"] or _DLITZ_DEFAULT_ITERATIONS, 16)
    digest = decode_base64(parts["digest"], b"./")
    return build_pbkdf2("sha1", iterations, parts["salt"].encode(), digest)


def _build_atlassian(parts: re.Match[str]) -> Pbkdf2Hash | None:
    """Read the salt before the key of 32 bytes."""
    data = decode_base64(parts["data"]) or b""
    return build_pbkdf2("sha1", 10_000, data[:16], data[16:])


def _build_werkzeug(parts: re.Match[str]) -> Pbkdf2Hash | None:
    iterations = int(parts["iterations"] or _WERKZEUG_DEFAULT_ITERATIONS)
    digest = decode_hex(parts["digest"])
    return build_pbkdf2(parts["hash"], iterations, parts["salt"].encode(), digest)


def _build_aspnet(parts: re.Match[str]) -> Pbkdf2Hash | None:
    """Read version 3: a byte 1, three numbers of four bytes, salt and key; version 2 is fixed."""
    data = decode_base64(parts[0]) or b""
    if len(data) == 49 and data[0] == 0:
        return build_pbkdf2("sha1", 1000, data[1:17], data[17:])
    if len(data) < 13 + 16 + 16 or data[0] != 1:
        return None
    number, iterations, length = (int.from_bytes(data[at : at + 4]) for at in (1, 5, 9))
    salt, digest = data[13 : 13 + length], data[13 + length :]
    if number >= len(_ASPNET_HASHES) or length < 16 or len(digest) < 16:
        return None
    return build_pbkdf2(_ASPNET_HASHES[number], iterations, salt, digest)


def _build_spring(parts: re.Match[str]) -> Pbkdf2Hash | None:
    """Read the salt before the key of 32 bytes, with the fixed parameters of that release."""
    data = decode_hex(parts["text"]) or b""
    if parts["release"]:
        return build_pbkdf2("sha256", 310_000, data[:16], data[16:]) if len(data) == 48 else None
    return build_pbkdf2("sha1", 185_000, data[:8], data[8:]) if len(data) == 40 else None


_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Pbkdf2Hash | None]], ...]] = (
    (_DJANGO, _build_django),
    (_PASSLIB, _build_passlib),
    (_CTA, _build_cta),
    (_DLITZ, _build_dlitz),
    (_ATLASSIAN, _build_atlassian),
    (_WERKZEUG, _build_werkzeug),
    (_SPRING, _build_spring),
    (_ASPNET, _build_aspnet),
)
