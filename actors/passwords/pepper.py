"""Pepper: HMAC-SHA-384 over the password before the scheme, by a key that no table holds.

The key is derived from PASSWORD_PEPPER, and its id stands before each hash that was made with it.
The MAC is given to the scheme as base64: 64 characters, of which bcrypt reads all.
"""

from __future__ import annotations

import base64
import functools
import hmac
import logging
from dataclasses import dataclass, field
from typing import Final, Self

from actors.passwords.errors import PepperUnknown
from catfeeder.sealing import Key, Secret, derive_key, key_id
from config import Settings, current_settings

_LOG = logging.getLogger(__name__)
#: Part of what every stored hash is of: never change it.
_LABEL: Final = "catfeeder/pepper/v1"


@dataclass(frozen=True, slots=True)
class Pepper:
    """A key and its id; its `repr` shows the id alone."""

    key_id: str
    key: Key = field(repr=False)

    @classmethod
    def derive(cls, text: str) -> Self:
        """Return the pepper of a value of PASSWORD_PEPPER."""
        key = derive_key(Secret(text), _LABEL)
        return cls(key_id(key).hex(), key)

    def apply(self, password: bytes) -> bytes:
        """Return what the scheme is given in place of the password."""
        return base64.b64encode(hmac.digest(self.key, password, "sha384"))


@functools.lru_cache(4)
def _derive(text: str) -> Pepper:
    return Pepper.derive(text)


def find_current_pepper() -> Pepper | None:
    """Return the pepper of new hashes; None where there is none."""
    text = current_settings().password_pepper
    return None if text is None else _derive(text)


def find_pepper(wanted: str) -> Pepper:
    """Return the pepper of this id.

    Raises:
        PepperUnknown: Neither PASSWORD_PEPPER nor PASSWORD_PEPPER_PREVIOUS has it.
    """
    for pepper in list_peppers(current_settings()):
        if pepper.key_id == wanted:
            return pepper
    _LOG.error("A hash was made with the pepper of the id %s, which is not set.", wanted)
    raise PepperUnknown(wanted)


def list_peppers(settings: Settings) -> list[Pepper]:
    """Return the peppers whose hashes can be checked, that of new hashes first, if any."""
    current = () if settings.password_pepper is None else (settings.password_pepper,)
    return [_derive(text) for text in (*current, *settings.previous_password_peppers)]
