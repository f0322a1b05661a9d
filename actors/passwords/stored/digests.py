"""Digests: one SHA or MD5 and no more. LDAP's salted SHA is checked, others where config says so.

Each is over in a microsecond, so a list of them that leaks is read; a check asks for a new hash.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from actors.passwords.stored.form import StandardLibraryHash, decode_base64, decode_hex

_SALTED_LDAP: Final = re.compile(
    r"\{(?P<name>SSHA|SSHA256|SSHA384|SSHA512)\}(?P<data>[A-Za-z0-9+/]{22,1024}={0,2})",
    re.ASCII | re.IGNORECASE,
)
_LDAP: Final = re.compile(
    r"\{(?P<name>SHA|SHA256|SHA384|SHA512|MD5|SMD5)\}(?P<data>[A-Za-z0-9+/]{22,1024}={0,2})",
    re.ASCII | re.IGNORECASE,
)
_HEX: Final = re.compile(r"[0-9a-fA-F]{32,128}", re.ASCII)
_DJANGO: Final = re.compile(
    r"(?P<name>md5|sha1)\$(?P<salt>[^$]{0,128})\$(?P<digest>[0-9a-f]{32,40})", re.ASCII
)
_LENGTHS: Final = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}


@dataclass(frozen=True, slots=True, repr=False)
class DigestHash(StandardLibraryHash):
    """A digest of a password, perhaps with a salt before or behind it."""

    algorithm: str
    before: bytes = b""
    behind: bytes = b""

    @property
    def cost(self) -> int:
        """Next to nothing."""
        return 1

    def derive(self, password: bytes) -> bytes:
        """Return the digest."""
        return hashlib.new(self.algorithm, self.before + password + self.behind).digest()


def parse_salted_ldap(text: str) -> DigestHash | None:
    """Return an LDAP hash of salted SHA; None for any other text."""
    parts = _SALTED_LDAP.fullmatch(text)
    return None if parts is None else _build_ldap(parts["name"], parts["data"])


def find_digest(text: str) -> tuple[str, DigestHash] | None:
    """Return any other digest, and its name in `accept_digests`; None for other text."""
    if parts := _LDAP.fullmatch(text):
        name = f"ldap_{parts['name'].lower()}"
        found = _build_ldap(parts["name"], parts["data"])
    elif parts := _DJANGO.fullmatch(text):
        name, found = f"django_{parts['name']}", _build_django(parts)
    elif _HEX.fullmatch(text) and len(text) in _LENGTHS:
        name = _LENGTHS[len(text)]
        found = DigestHash(bytes.fromhex(text), name)
    else:
        return None
    return None if found is None else (name, found)


def _build_ldap(name: str, data: str) -> DigestHash | None:
    """Return LDAP's: the digest, and behind it the salt (RFC 2307 with OpenLDAP's names)."""
    is_salted = name.upper().startswith("S") and name.upper()[1] in "SM"
    algorithm = name.lower()[1:] if is_salted else name.lower()
    algorithm = "sha1" if algorithm == "sha" else algorithm
    decoded, size = decode_base64(data), hashlib.new(algorithm).digest_size
    if decoded is None or (len(decoded) <= size if is_salted else len(decoded) != size):
        return None
    return DigestHash(decoded[:size], algorithm, behind=decoded[size:])


def _build_django(parts: re.Match[str]) -> DigestHash | None:
    digest = decode_hex(parts["digest"])
    if digest is None or len(digest) != hashlib.new(parts["name"]).digest_size:
        return None
    return DigestHash(digest, parts["name"], before=parts["salt"].encode())
