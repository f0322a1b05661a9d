"""Encryption of exports to an age recipient, by pyrage, which the commands alone load."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from actors.moving.errors import AgeUnavailable, ImportFileInvalid

_SECRET_KEY: Final = "AGE-SECRET-KEY-"


def encrypt(chunks: Iterable[bytes], output: BinaryIO, recipients: Iterable[str]) -> None:
    """Write chunks to a file, encrypted to recipients such as `age1…`; none is held for long.

    Raises:
        AgeUnavailable: pyrage is not installed.
        ImportFileInvalid: A text is no recipient.
    """
    age = _load()
    keys = [
        _parse(age.x25519.Recipient.from_str, text, "recipient", age.RecipientError)
        for text in recipients
    ]
    age.encrypt_io(cast("BinaryIO", _Chunks(iter(chunks))), output, keys)


def decrypt(source: BinaryIO, output: BinaryIO, identity_file: Path) -> None:
    """Write what a file holds, decrypted with the identities of another one.

    Raises:
        AgeUnavailable: pyrage is not installed.
        ImportFileInvalid: The identity, or the file, is not what it should be.
    """
    age = _load()
    lines = identity_file.read_text(encoding="utf-8", errors="replace").splitlines()
    texts = [line.strip() for line in lines if line.strip().startswith(_SECRET_KEY)]
    if not texts:
        raise ImportFileInvalid("The file of --identity holds no AGE-SECRET-KEY-1….")
    keys = [
        _parse(age.x25519.Identity.from_str, text, "identity", age.IdentityError) for text in texts
    ]
    try:
        age.decrypt_io(source, output, keys)
    except age.DecryptError:
        raise ImportFileInvalid("The identity does not open the file, or it is damaged.") from None


def _parse(parse: Callable[[str], Any], text: str, kind: str, errors: type[Exception]) -> Any:
    try:
        return parse(text)
    except errors:
        raise ImportFileInvalid(f"An age {kind} is not valid.") from None


def _load() -> Any:
    try:
        import pyrage
    except ImportError:
        raise AgeUnavailable from None
    return pyrage


class _Chunks:
    """A file to read from, of chunks that are made as they are read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; none at the end."""
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return b""
        size = len(self._rest) if size < 0 else size
        found, self._rest = self._rest[:size], self._rest[size:]
        return found
