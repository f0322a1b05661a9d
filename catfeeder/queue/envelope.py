"""Envelope, format 2: which key sealed it stands before the ciphertext, and is bound to it.

A sealed value is AES-256-GCM (NIST SP 800-38D), with the clear header and then the *context*, the
place that it belongs to, as additional authenticated data:

    version (1 byte) | key id (4 bytes) | length of the app's id (1) | the app's id
    | generation (4, big-endian) | nonce (12) | ciphertext and tag

The service's own key has no app, so a length of 0, and the generation 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from catfeeder.errors import SealBroken
from catfeeder.queue.keys import SERVICE, AppKey, KeyName, derive_queue_key
from catfeeder.queue.requester import is_app_id
from catfeeder.sealing import Cipher, Key, SealedBytes

_VERSION: Final = b"\x02"
_FIRST_VERSION: Final = b"\x01"
_KEY_ID: Final = slice(1, 5)
_APP_LENGTH_AT: Final = 5
_APP_AT: Final = 6
_GENERATION_BYTES: Final = 4

_FIRST_FORMAT: Final = "It is of format 1, which an earlier release sealed."
_MALFORMED: Final = "Its header is not that of a sealed value of format 2."
_FOREIGN: Final = "It was not sealed with our queue key."


class Opened(NamedTuple):
    """What was sealed, and with which key; `key.app` has sealed it, whatever the text says."""

    plaintext: bytes
    key: KeyName


class Header(NamedTuple):
    """What stands in clear before the nonce; nothing of it is true until the rest has opened."""

    name: KeyName
    length: int


def build_header(name: KeyName, key_id: bytes) -> bytes:
    """Return the bytes before the nonce."""
    app = name.app.encode()
    generation = name.generation.to_bytes(_GENERATION_BYTES, "big")
    return _VERSION + key_id + bytes([len(app)]) + app + generation


def read_header(sealed: bytes) -> Header:
    """Return which key a sealed value names.

    Raises:
        SealBroken: The bytes do not begin with a header of format 2.
    """
    if sealed[:1] != _VERSION:
        raise SealBroken(_FIRST_FORMAT if sealed[:1] == _FIRST_VERSION else _MALFORMED)
    app_end = _APP_AT + (sealed[_APP_LENGTH_AT] if len(sealed) > _APP_LENGTH_AT else 0)
    end = app_end + _GENERATION_BYTES
    app = sealed[_APP_AT:app_end].decode("ascii", errors="replace")
    generation = int.from_bytes(sealed[app_end:end], "big")
    is_named = is_app_id(app) and generation > 0
    if len(sealed) < end or not (is_named or (app, generation) == SERVICE[:2]):
        raise SealBroken(_MALFORMED)
    return Header(KeyName(app, generation, sealed[_KEY_ID].hex()), end)


class QueueSealer(ABC):
    """Seals and opens what is on the queue. `own` names the key that it seals with by itself."""

    def __init__(self, own: KeyName) -> None:
        self.own = own
        #: By name, the cipher and the header that begins what it seals.
        self._sealing: dict[KeyName, tuple[Cipher, bytes]] = {}

    def seal(self, plaintext: bytes, context: str, key: KeyName | None = None) -> SealedBytes:
        """Seal `plaintext` for the place that `context` names, with the own key or that of `key`.

        Raises:
            SealBroken: There is no such key here.
        """
        cipher, header = self._find_sealing(key or self.own)
        return cipher.seal(plaintext, header, context.encode())

    def _find_sealing(self, name: KeyName) -> tuple[Cipher, bytes]:
        found = self._sealing.get(name)
        if found is None:
            cipher = self._find_cipher(name)
            found = self._sealing[name] = cipher, build_header(name, cipher.key_id)
        return found

    def open(self, sealed: bytes, context: str) -> Opened:
        """Return what `seal` was given, and the name of the key that it was sealed with.

        Raises:
            SealBroken: The bytes are foreign, damaged, of another context or of a key that does
                not serve here (any more); the sentence says which.
        """
        name, length = read_header(sealed)
        cipher = self._find_cipher(name)
        try:
            plaintext = cipher.open(sealed, length, context.encode())
        except SealBroken:
            raise SealBroken(_FOREIGN) from None
        self._check(name)
        return Opened(plaintext, SERVICE if name.is_service else name)

    @abstractmethod
    def _find_cipher(self, name: KeyName) -> Cipher:
        """Return the cipher of that name, or raise SealBroken where there is none."""

    @abstractmethod
    def _check(self, name: KeyName) -> None:
        """Raise SealBroken where the key, which has opened its bytes, serves no more."""


class AppSealer(QueueSealer):
    """What one app holds: seals with the first of its keys, and opens with each."""

    def __init__(self, keys: Sequence[AppKey]) -> None:
        ciphers = [(key, Cipher(key.key)) for key in keys]
        self._ciphers = {
            KeyName(key.app, key.generation, cipher.key_id.hex()): cipher for key, cipher in ciphers
        }
        super().__init__(next(iter(self._ciphers)))

    def _find_cipher(self, name: KeyName) -> Cipher:
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise SealBroken(_FOREIGN)
        return cipher

    def _check(self, name: KeyName) -> None:
        """Accept each of the app's keys: the service alone knows of a revocation."""


class ServiceSealer(QueueSealer):
    """What the service holds: its own key and, by the roots, those of every app.

    `roots` are the queue's root keys of each SECRET_KEY, the current one first. `check` is called
    with the name of each app's key that has opened something, and raises SealBroken where that key
    was revoked.
    """

    def __init__(
        self, roots: Sequence[Key], check: Callable[[KeyName], None] | None = None
    ) -> None:
        super().__init__(SERVICE)
        self._roots = list(roots)
        self._check_app = check
        #: Of names that a key was found for, so that foreign bytes do not fill the memory.
        self._ciphers: dict[KeyName, Cipher] = {}

    def _find_cipher(self, name: KeyName) -> Cipher:
        found = self._ciphers.get(name)
        if found is None:
            found = self._ciphers[name] = self._derive(name)
        return found

    def _derive(self, name: KeyName) -> Cipher:
        for root in self._roots:
            cipher = Cipher(derive_queue_key(root, name))
            if name.key_id in ("", cipher.key_id.hex()):
                return cipher
        raise SealBroken(_FOREIGN)

    def _check(self, name: KeyName) -> None:
        if self._check_app is not None and not name.is_service:
            self._check_app(name)
