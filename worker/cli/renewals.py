"""`python -m worker renewals`: a dry run, which lists what would be renewed, when and why.

With `--failing` it lists what needs attention: failed renewals, and grants that have ended.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Final

from actors.providers.config.lookup import provider_row
from actors.renewal.listing import ScheduledRenewal, list_renewals
from catfeeder.clock import rfc3339, utc_now
from config import current_settings, provider_credential
from models.db.database import hold_connection, open_database
from models.migrate import check_schema
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION, list_keys, public_name

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
        ProviderUnknown: There is no provider of that name, and no connection is left of one.
    """
    open_database(current_settings(), may_create=False)
    check_schema()
    if provider is not None:
        _check_provider(provider)
    status = ConnectionStatus.RENEWAL_FAILING if failing else None
    count = _print_renewals(provider, status, timedelta(days=days), limit, page_size)
    if failing:
        _print_ended_grants(provider, limit - count, page_size)
    return 0


def _check_provider(name: str) -> None:
    """Tell a name that is mistyped from a provider with nothing to renew."""
    with hold_connection():
        keys = list_keys(None, name)
        is_known = any(map(TAB_USER_OAUTH_CONNECTION.find, keys)) or bool(
            TAB_CONNECTIONS.list_page(providers=keys, limit=1)
        )
    if not is_known and provider_credential(name, "CLIENT_ID") is None:
        provider_row(name)


def _print_renewals(
    provider: str | None, status: str | None, span: timedelta, limit: int, page_size: int
) -> int:
    """Print the renewals that fall due within a span, and return how many those are."""
    now = utc_now()
    cursor, left = None, limit
    while left > 0:
        size = min(left, page_size)
        page = list_renewals(
            provider=provider,
            status=status,
            before=now + span,
            cursor=cursor,
            limit=size,
            now=now,
        )
        for item in page["items"]:
            _print_renewal(item, ends_soon=rfc3339(now + _SOON))
        cursor, left = page["next_cursor"], left - len(page["items"])
        if cursor is None:
            break
    _print_conclusion(page["is_scheduled"], limit - left, has_more=cursor is not None)
    return limit - left


def _print_ended_grants(provider: str | None, limit: int, page_size: int) -> None:
    """Print the connections whose users have to sign in again, which no renewal can help."""
    count, after = 0, None
    while True:
        size = min(limit - count, page_size)
        with hold_connection():
            rows = TAB_CONNECTIONS.list_page(
                providers=None if provider is None else list_keys(None, provider),
                status=ConnectionStatus.REAUTHORIZATION_REQUIRED,
                after=after,
                limit=size + 1,
            )
        has_more, rows = len(rows) > size, rows[:size]
        for row in rows:
            _print_ended_grant(row)
        count += len(rows)
        if not has_more or count >= limit:
            break
        after = (rows[-1].created_at, rows[-1].id)
    rest = "; --limit leaves out more" if has_more else ""
    print(f"{count} connections wait for their users{rest}.", file=sys.stderr)


def _print_ended_grant(row: TAB_CONNECTIONS) -> None:
    why = f"The user has to sign in again: {row.reason}"
    provider = public_name(row.provider)
    print(_COLUMNS.format(renew_at="-", provider=provider, connection_id=row.id, why=why))


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
