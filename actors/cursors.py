"""Where a page ended, as text for the caller to bring back: a time and an id."""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import datetime
from typing import Final

from actors.errors import CursorInvalid

#: What our ids look like; a database may not even take other text to look for.
_ID: Final = re.compile("[0-9a-f-]{36}")

Position = tuple[datetime, str]


def is_id(text: str) -> bool:
    """Tell whether something of ours can have this id."""
    return _ID.fullmatch(text) is not None


def encode_cursor(position: Position) -> str:
    """Write the place behind which the next page begins."""
    at, last_id = position
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), last_id]).encode()).decode()


def decode_cursor(cursor: str) -> Position:
    """Read what `encode_cursor` wrote.

    Raises:
        CursorInvalid: It is not such a text.
    """
    try:
        read = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        match read:
            case [str(at), str(last_id)] if is_id(last_id):
                after = datetime.fromisoformat(at)
            case _:
                raise CursorInvalid
    except (binascii.Error, ValueError, RecursionError):
        raise CursorInvalid from None
    if after.tzinfo is None:
        raise CursorInvalid
    return after, last_id
