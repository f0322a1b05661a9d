"""Passwords; exports `PasswordHandling` lazily, so that the HTTP shim loads no bcrypt."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.passwords.hashing import PasswordHandling as PasswordHandling


def __getattr__(name: str) -> object:
    """Import the class of the original project when it is first asked for (PEP 562)."""
    if name == "PasswordHandling":
        from actors.passwords.hashing import PasswordHandling

        return PasswordHandling
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
