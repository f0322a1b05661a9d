"""Normalisation of passwords (RFC 8265, OpaqueString): the same visible text gives the same bytes.

Of the profile the mappings are applied. Its prohibitions (RFC 8264 section 4.3) are not, except
for text without a visible character: they would refuse passwords that people use, such as emoji
of several parts.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from actors.passwords.errors import MAXIMUM_BYTES, PasswordBlank
from actors.passwords.rules import truncate_password

#: NFC sorts runs of combining marks in quadratic time.
_MAXIMUM_BYTES: Final = 4096

#: Z: spaces and separators. Cc, Cf: controls and format characters, such as U+200B.
_BLANK_CATEGORIES: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
#: Default_Ignorable_Code_Point outside of these categories, and the blank pattern of Braille.
_BLANK_RANGES: Final = (
    *((0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2065, 0x2065)),
    *((0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8)),
    (0xE0000, 0xE0FFF),
)


def normalize_password(password: bytes) -> bytes:
    """Return a password after the rules of OpaqueString (RFC 8265 section 4.2.1).

    Spaces outside of ASCII become a space, then NFC is applied. Neither case nor width is mapped.
    Bytes that are no UTF-8, and more than 4096 bytes, stay as they are.
    """
    if password.isascii() or len(password) > _MAXIMUM_BYTES:
        return password
    try:
        text = password.decode()
    except UnicodeDecodeError:
        return password
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in text)
    return unicodedata.normalize("NFC", spaced).encode()


def check_visible(password: bytes) -> None:
    """Make sure that a new password has a visible character.

    Raises:
        PasswordBlank: It has none. RFC 8265 section 4.2.2 refuses the empty password likewise.
    """
    if all(map(_is_blank, password.decode(errors="surrogateescape"))):
        raise PasswordBlank


def list_candidates(password: bytes, read_bytes: int | None = MAXIMUM_BYTES) -> list[bytes]:
    """Return what a hash that reads so many bytes may be of, if it is of this password.

    The normalised password is first. The bytes as they came are second, where they differ: hashes
    of other libraries, and of earlier releases, are of those.

    Raises:
        PasswordHasNul: The password holds a NUL byte.
    """
    normalized = normalize_password(password)
    forms = [truncate_password(form, read_bytes) for form in (normalized, password)]
    return list(dict.fromkeys(forms))


def _is_blank(character: str) -> bool:
    if unicodedata.category(character) in _BLANK_CATEGORIES:
        return True
    return any(first <= ord(character) <= last for first, last in _BLANK_RANGES)
