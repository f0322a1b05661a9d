"""Authenticated encryption: a secret prints nothing in a process, and is sealed outside of it.

Sealing is AES-256-GCM (NIST SP 800-38D). A sealed value is

    version (1 byte) | key id (4 bytes) | nonce (12 bytes) | ciphertext and tag

and is bound to its *context*, the place it belongs to, so that it opens nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from typing import Final, NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from catfeeder.errors import InvalidQueueKey, SealBroken

Key = NewType("Key", bytes)
SealedBytes = NewType("SealedBytes", bytes)

#: The labels under which SECRET_KEY yields its keys. They are wire format: never change one.
QUEUE_LABEL: Final = "catfeeder/queue/v2"
DATABASE_LABEL: Final = "catfeeder/database/v1"
ROWS_LABEL: Final = "catfeeder/rows/v1"
WEBHOOK_LABEL: Final = "catfeeder/webhook/v1"
CONSOLE_LABEL: Final = "catfeeder/console/v1"

_VERSION: Final = b"\x01"
_KEY_BYTES: Final = 32
_KEY_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_HEADER_BYTES: Final = len(_VERSION) + _KEY_ID_BYTES + _NONCE_BYTES


class Secret:
    """Text that no log line or traceback can print; `reveal` returns it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def of(cls, value: str | bytes) -> Secret:
        """Wrap text, or bytes of which every one is kept, UTF-8 or not."""
        return cls(value.decode(errors="surrogateescape") if isinstance(value, bytes) else value)

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def reveal_bytes(self) -> bytes:
        """Return the text in UTF-8, or the very bytes that `of` was given."""
        return self._text.encode(errors="surrogateescape")

    def __repr__(self) -> str:
        """Print nothing of the text, not even its length."""
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        """Compare in constant time."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal_bytes(), other.reveal_bytes())

    def __hash__(self) -> int:
        """Hash as the text does, so that equal secrets hash alike."""
        return hash(self._text)

    def __bool__(self) -> bool:
        """Be true unless the text is empty."""
        return bool(self._text)


def derive_key(secret_key: Secret, label: str) -> Key:
    """Derive the 32-byte key for `label` from SECRET_KEY by HKDF-SHA256 (RFC 5869)."""
    return _derive(secret_key.reveal().encode(), label)


def derive_subkey(root: Key, label: str) -> Key:
    """Derive the 32-byte key for `label` from another key by HKDF-SHA256 (RFC 5869)."""
    return _derive(root, label)


def _derive(material: bytes, label: str) -> Key:
    hkdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=label.encode())
    return Key(hkdf.derive(material))


def key_to_text(key: Key) -> str:
    """Write a key as base64url text, the form in which apps get it."""
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def key_from_text(text: str) -> Key:
    """Read what `key_to_text` wrote.

    Raises:
        InvalidQueueKey: The text is not base64url of 32 bytes.
    """
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidQueueKey from None
    if len(key) != _KEY_BYTES:
        raise InvalidQueueKey
    return Key(key)


def key_id(key: Key) -> bytes:
    """Return the 4 bytes that name a key and reveal nothing of it."""
    return hashlib.sha256(b"catfeeder/key-id/v1" + key).digest()[:_KEY_ID_BYTES]


def encrypt_in_counter_mode(key: bytes, plaintext: bytes) -> bytes:
    """Return AES-CTR from a counter of zero, for Firebase's password hashes; it seals nothing.

    The same key and counter must never encrypt a second text.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher as AnyCipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CTR

    return AnyCipher(AES(key), CTR(bytes(16))).encryptor().update(plaintext)


class Cipher:
    """AES-256-GCM with one key: a nonce of 12 bytes before the ciphertext, the tag behind it."""

    __slots__ = ("_aead", "key_id")

    def __init__(self, key: Key) -> None:
        self._aead = AESGCM(key)
        self.key_id = key_id(key)

    def seal(self, plaintext: bytes, header: bytes, context: bytes) -> SealedBytes:
        """Return `header`, a random nonce and the ciphertext; all of it and `context` are bound."""
        header += os.urandom(_NONCE_BYTES)
        nonce = header[-_NONCE_BYTES:]
        return SealedBytes(header + self._aead.encrypt(nonce, plaintext, header + context))

    def open(self, sealed: bytes, header_bytes: int, context: bytes) -> bytes:
        """Return what `seal` was given, whose header had that length.

        Raises:
            SealBroken: The bytes are damaged, or of another key, header or context.
        """
        end = header_bytes + _NONCE_BYTES
        header = sealed[:end]
        try:
            return self._aead.decrypt(header[header_bytes:], sealed[end:], header + context)
        except (InvalidTag, ValueError):
            raise SealBroken from None


class Sealer:
    """Seals with the first key of a ring and opens with any of them."""

    def __init__(self, keys: Iterable[Key]) -> None:
        """Make a sealer of a key ring, the current key first."""
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self.current_key_id = next(iter(self._ciphers))

    @property
    def key_ids(self) -> frozenset[bytes]:
        """The ids of the keys that this sealer can open with."""
        return frozenset(self._ciphers)

    @property
    def current_prefix(self) -> bytes:
        """The bytes that begin a value exactly if it is sealed with the current key."""
        return _VERSION + self.current_key_id

    def seal(self, plaintext: bytes, context: str) -> SealedBytes:
        """Seal `plaintext` for the place that `context` names."""
        header = _VERSION + self.current_key_id + os.urandom(_NONCE_BYTES)
        nonce = header[-_NONCE_BYTES:]
        cipher = self._ciphers[self.current_key_id]
        return SealedBytes(header + cipher.encrypt(nonce, plaintext, context.encode()))

    def open(self, sealed: bytes, context: str) -> bytes:
        """Return what `seal` was given.

        Raises:
            SealBroken: The bytes are foreign, damaged, of an unknown key or of another context.
        """
        header, ciphertext = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:]
        cipher = self._ciphers.get(header[1 : 1 + _KEY_ID_BYTES])
        if header[:1] != _VERSION or len(header) < _HEADER_BYTES or cipher is None:
            raise SealBroken
        try:
            return cipher.decrypt(header[-_NONCE_BYTES:], ciphertext, context.encode())
        except InvalidTag:
            raise SealBroken from None

    def reseal(self, sealed: bytes, context: str) -> SealedBytes | None:
        """Return the same, sealed with the current key; None when none of the ring opens it."""
        try:
            return self.seal(self.open(sealed, context), context)
        except SealBroken:
            return None


class KeyRing:
    """The keys that SECRET_KEY, and each SECRET_KEY before it, yields for each purpose."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        """Make a ring of SECRET_KEY and, behind it, those by which values may still be sealed."""
        self._secret_keys = [Secret(text) for text in secret_keys]

    def keys(self, label: str) -> list[Key]:
        """Return the keys for `label`, the current one first."""
        return [derive_key(secret_key, label) for secret_key in self._secret_keys]

    def sealer(self, label: str) -> Sealer:
        """Return a sealer that seals with the current key for `label` and opens with each."""
        return Sealer(self.keys(label))
