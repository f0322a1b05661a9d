"""Renewal schedule: lists the connections that fall due, and when, without claiming any."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict, Unpack

from models.oauth.connections import TAB_CONNECTIONS

_T = TAB_CONNECTIONS


class RenewalFilters(TypedDict, total=False):
    """The columns that a list of renewals may be limited by; None is any value."""

    app: str | None
    subject: str | None
    status: str | None


def list_upcoming_renewals(
    *,
    providers: Sequence[str] | None = None,
    before: datetime | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int,
    **wanted: Unpack[RenewalFilters],
) -> list[TAB_CONNECTIONS]:
    """Return up to `limit` connections that fall due before a time, the first due first.

    They are authentic or not.

    `after` is `renew_at` and id of the last connection of the page before. An index ends in
    `renew_at` for each filter, so that the database reads no more rows than the page holds.
    """
    query = _T.select().where(_T.renew_at.is_null(False)).order_by(_T.renew_at, _T.id).limit(limit)
    for name, value in wanted.items():
        if value is not None:
            query = query.where(getattr(_T, name) == value)
    if providers is not None:
        query = query.where(_T.provider.in_(providers))
    if before is not None:
        query = query.where(_T.renew_at < before)
    if after is not None:
        at, last_id = after
        # The second condition implies the first, which is where the index is entered.
        query = query.where(_T.renew_at >= at, (_T.renew_at > at) | (_T.id > last_id))
    return list(query)
