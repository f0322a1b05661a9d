"""Logos of apps: small pictures, as `data:` URLs (RFC 2397), which pages show without a request."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

#: Every process keeps the settings of the apps that it serves, and a request has 64 KiB at most.
_MAX_LENGTH: Final = 32_768
#: Pictures alone: SVG is a document, and may hold more.
_BEGINNINGS: Final = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
_URL: Final = re.compile("data:(image/(?:png|jpeg|webp));base64,([A-Za-z0-9+/]+={0,2})")
_SENTENCE: Final = (
    f"must be a PNG, JPEG or WebP image, as a data: URL in base64 of at most {_MAX_LENGTH} "
    "characters, which is 24 KiB of image"
)


def find_logo_problem(value: object) -> str | None:
    """Return a sentence if a value is no logo."""
    found = _URL.fullmatch(value) if isinstance(value, str) else None
    if found is None or len(found[0]) > _MAX_LENGTH:
        return _SENTENCE
    try:
        image = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        return _SENTENCE
    return None if _BEGINNINGS[found[1]].match(image) else _SENTENCE


def encode_logo(image: bytes) -> str:
    """Return the `data:` URL of a file; `find_logo_problem` says whether it is a logo."""
    kinds = (kind for kind, beginning in _BEGINNINGS.items() if beginning.match(image))
    kind = next(kinds, "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(image).decode()}"
