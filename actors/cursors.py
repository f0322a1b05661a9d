"""Cursors of keyset pagination: the time and the id at which a page ended, as opaque text."""

from __future__ import annotations

import base64
import binascii
import json
import re
from datetime import datetime
from typing import Final

from actors.errors import CursorInvalid

#: The form of our ids. A database may not even accept other text in a query.
_ID: Final = re.compile("[0-9a-f-]{36}")

Position = tuple[datetime, str]


def is_id(text: str) -> bool:
    """Return whether a row of ours can have this id."""
    return _ID.fullmatch(text) is not None


def encode_cursor(position: Position) -> str:
    """Return the `next_cursor` of a page whose last row is at this position."""
    at, last_id = position
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), last_id]).encode()).decode()


def decode_cursor(cursor: str) -> Position:
    """Return the position behind which the next page begins.

    Raises:
        CursorInvalid: `encode_cursor` has not written this text.
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
