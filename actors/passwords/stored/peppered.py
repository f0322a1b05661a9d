"""Peppered form: the key's id before a hash of bcrypt or Argon2id, as this service makes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from actors.passwords.stored.argon2_forms import Argon2Hash, parse_argon2
from actors.passwords.stored.bcrypt_forms import BcryptHash, parse_bcrypt
from actors.passwords.stored.form import StoredHash

_PATTERN: Final = re.compile(r"\{pepper:(?P<key_id>[0-9a-f]{8})\}(?P<hash>\$.+)", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class PepperedHash(StoredHash):
    """A hash of what a pepper makes of the password, in place of the password itself."""

    inner: BcryptHash | Argon2Hash
    key_id: str

    @property
    def cost(self) -> int:
        """That of the hash; the HMAC is a matter of microseconds."""
        return self.inner.cost

    @property
    def memory_kib(self) -> int:
        """That of the hash."""
        return self.inner.memory_kib

    @property
    def read_bytes(self) -> int | None:
        """Those of the scheme: with a pepper no password may be longer than without."""
        return self.inner.read_bytes


def write_peppered(password_hash: str, key_id: str) -> str:
    """Return the stored form of a hash that was made with the pepper of this id."""
    return f"{{pepper:{key_id}}}{password_hash}"


def parse_peppered(text: str) -> PepperedHash | None:
    """Return a hash that this service has made with a pepper; None for any other text."""
    parts = _PATTERN.fullmatch(text)
    if parts is None:
        return None
    inner = parse_bcrypt(parts["hash"]) or parse_argon2(parts["hash"])
    if inner is None or inner.is_wrapped or not _is_made_here(inner):
        return None
    return PepperedHash(inner.digest, inner, parts["key_id"])


def _is_made_here(inner: BcryptHash | Argon2Hash) -> bool:
    return inner.kind == "id" if isinstance(inner, Argon2Hash) else inner.prefix == "2b"


def find_pepper_id(stored: StoredHash) -> str | None:
    """Return the id of the pepper that a hash was made with; None for a bare one."""
    return stored.key_id if isinstance(stored, PepperedHash) else None


def strip_pepper(stored: StoredHash) -> StoredHash:
    """Return the hash behind a pepper's id, or a bare one as it is."""
    return stored.inner if isinstance(stored, PepperedHash) else stored
