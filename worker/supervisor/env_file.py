"""First-run secrets: adds SECRET_KEY and ADMIN_API_KEY to `.env`, and keeps all else in it."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from config import ConfigurationError, find_mention, optional_variable, read_text

#: 32 random bytes each, as the length of an AES-256 key.
_SECRET_BYTES: Final = 32
_NAMES: Final = ("SECRET_KEY", "ADMIN_API_KEY")


def list_missing_secrets(environment: Mapping[str, str | None]) -> list[str]:
    """Return which of the two secrets are unset."""
    return [name for name in _NAMES if optional_variable(environment, name) is None]


def write_missing_secrets(path: Path, environment: Mapping[str, str | None]) -> list[str]:
    """Give each of the two secrets that is unset a random value; return the names of those.

    The file is left alone when both are set, and gets mode 600 when one is written to it.

    Raises:
        ConfigurationError: The file holds such a secret in another form, or cannot be written.
    """
    missing = list_missing_secrets(environment)
    if missing:
        text = read_text(path, ".env") if path.exists() else ""
        for name in missing:
            _refuse_second(text, name)
            text = _set_variable(text, name, secrets.token_urlsafe(_SECRET_BYTES))
        _write(path, text)
    return missing


def _refuse_second(text: str, name: str) -> None:
    """Refuse to add a secret beside one that is there, perhaps the one that is still needed."""
    if (line := find_mention(text, name)) is not None:
        raise ConfigurationError(
            f".env, line {line}, holds a {name} that does not count: write it as {name}=value at "
            "the beginning of the line, or delete the line, and a new one is made."
        )


def _write(path: Path, text: str) -> None:
    try:
        _write_private(path.resolve(), text)
    except OSError as error:
        raise ConfigurationError(
            f".env cannot be written ({error.strerror}): set SECRET_KEY and ADMIN_API_KEY in the "
            "environment, or make the folder of the service writable for this user."
        ) from None


def _set_variable(text: str, name: str, value: str) -> str:
    """Fill in the variable's empty line, which `.env.example` has, or add a line."""
    line = f"{name}={value}"
    text, filled = re.subn(rf"^{name}=[ \t]*$", line, text, count=1, flags=re.MULTILINE)
    if filled:
        return text
    return f"{text}\n{line}\n" if text and not text.endswith("\n") else f"{text}{line}\n"


def _write_private(path: Path, text: str) -> None:
    """Replace the file in one step: a full disk must not cost the secrets that it held."""
    draft = path.with_name(f"{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
