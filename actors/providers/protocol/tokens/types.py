"""Token types (RFC 6749 section 7.1): how a request carries an access token."""

from __future__ import annotations

import re
from typing import Any, Final

_TOKEN_TYPE: Final = re.compile("[A-Za-z0-9._~+/-]{1,64}")
#: The registered names of HTTP authentication schemes, some of which APIs compare letter by letter.
_SCHEMES: Final = {"bearer": "Bearer", "dpop": "DPoP", "mac": "MAC"}


def read_token_type(value: Any) -> str:
    """Return a token's type as a request's Authorization header has it, by default Bearer.

    It is case insensitive (RFC 6749 section 5.1), but not to every API.
    """
    text = value.strip() if isinstance(value, str) else ""
    if not _TOKEN_TYPE.fullmatch(text):
        return "Bearer"
    return _SCHEMES.get(text.lower(), text)
