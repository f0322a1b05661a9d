"""`python -m worker renewals`: a dry run, which lists what would be renewed, when and why."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Final

from actors.renewal.listing import ScheduledRenewal, list_renewals
from catfeeder.clock import rfc3339, utc_now
from config import current_settings
from models.db.database import open_database
from models.migrate import check_schema
from models.oauth.connections import ConnectionStatus

#: The longest notice that apps get of it, by the event `reauthorization_soon`.
_SOON: Final = timedelta(days=14)
_COLUMNS: Final = "{renew_at:<24}  {provider:<12}  {connection_id:<36}  {why}"


def print_renewals(
    provider: str | None, failing: bool, days: int, limit: int, *, page_size: int = 500
) -> int:
    """Print the renewals of the next `days`, the next first, up to `limit` of them.

    `page_size` is how many the database is asked for at once.

    Raises:
        ConfigurationError: The database cannot be used.
    """
    now = utc_now()
    open_database(current_settings())
    check_schema()
    cursor, left = None, limit
    while left > 0:
        page = list_renewals(
            provider=provider,
            status=ConnectionStatus.RENEWAL_FAILING if failing else None,
            before=now + timedelta(days=days),
            cursor=cursor,
            limit=min(left, page_size),
            now=now,
        )
        for item in page["items"]:
            _print_renewal(item, ends_soon=rfc3339(now + _SOON))
        cursor, left = page["next_cursor"], left - len(page["items"])
        if cursor is None:
            break
    _print_conclusion(page["is_scheduled"], limit - left, has_more=cursor is not None)
    return 0


def _print_renewal(item: ScheduledRenewal, ends_soon: str) -> None:
    print(_COLUMNS.format(**item))
    # Times that are written alike are in the order of their texts.
    if item["grant_expires_at"] and item["grant_expires_at"] <= ends_soon:
        print(f"{'':<26}grant ends: {item['grant_expires_at']}")
    if item["hindrance"]:
        print(f"{'':<26}would fail: {item['hindrance']}")


def _print_conclusion(is_scheduled: bool, count: int, *, has_more: bool) -> None:
    """Print what the list is to stderr, so that the list can be piped."""
    rest = "; --limit leaves out more" if has_more else ""
    print(f"{count} renewals would be made{rest}. None was.", file=sys.stderr)
    if not is_scheduled:
        print("renew_oath_tokens is off in config.toml: none is scheduled.", file=sys.stderr)
