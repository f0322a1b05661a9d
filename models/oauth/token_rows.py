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
_reading: Final = PreparedSelect(
    *(field for field in TAB_CONNECTIONS._meta.sorted_fields if field.name not in _UNREAD)
)


def find_token_rows(ids: Sequence[str]) -> dict[str, TAB_CONNECTIONS]:
    """Return those connections that are as this service wrote them, by their ids.

    Any other is left out, and not reported either.
    """
    found = {}
    for values in _reading.find(ids):
        row = build_row(TAB_CONNECTIONS, values)
        if all(mac.holds(row) for mac in row.required_macs()):
            found[row.id] = row
    return found
