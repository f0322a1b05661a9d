"""Rows of connections as a token read needs them, by a prepared statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.db.statements import PreparedSelect, build_row
from models.oauth.connections import TAB_CONNECTIONS

#: Columns that nothing needs for an answer with the token.
_UNREAD: Final = (
    *("missing_scope", "lifetime_seconds", "grant_expires_at", "warn_at", "lease_until"),
    *("failures", "refused_since", "created_at", "updated_at"),
)
_READ: Final = [f for f in TAB_CONNECTIONS._meta.sorted_fields if f.name not in _UNREAD]
_reading: Final = PreparedSelect(*_READ)
_MACS: Final = TAB_CONNECTIONS.mac_fields()


def find_token_rows(ids: Sequence[str]) -> dict[str, TAB_CONNECTIONS]:
    """Return those connections that are as this service wrote them, by their ids.

    Any other is left out, and not reported either.
    """
    found = {}
    for stored in _reading.find_stored(ids):
        values = _reading.name_columns(stored)
        # The profile is looked at for its MAC alone, and is large: most are never parsed.
        is_ours = all(mac.holds_as_stored(values) for mac in _MACS)
        row = build_row(TAB_CONNECTIONS, _reading.read(stored, but="profile" if is_ours else ""))
        if is_ours or all(mac.holds(row) for mac in _MACS):
            found[row.id] = row
    return found
