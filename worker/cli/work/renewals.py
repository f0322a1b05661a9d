"""`renewals`: a dry run, which lists what would be renewed, when and why.

With `--failing` it lists what needs attention: failed renewals, and grants that have ended.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Final

from actors.providers.config.lookup import provider_row
from actors.renewal.plan.listing import RenewalPage, ScheduledRenewal, list_renewals
from catfeeder.clock import rfc3339, utc_now
from config import provider_credential
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION, list_keys, public_name
from worker.cli.terminal.output import print_json, print_rows
from worker.cli.terminal.sentences import say_in_commands
from worker.cli.terminal.session import open_tables

#: The longest notice that apps get of it, by the event `reauthorization_soon`.
_SOON: Final = timedelta(days=14)
_HEADS: Final = ("RENEW AT", "PROVIDER", "CONNECTION", "WHY", "GRANT ENDS", "WOULD FAIL")


def print_renewals(
    provider: str | None,
    *,
    is_failing: bool,
    days: int,
    limit: int,
    as_json: bool = False,
    page_size: int = 500,
) -> int:
    """Print the renewals of the next `days`, the next first, up to `limit` of them.

    `page_size` is how many the database is asked for at once.

    Raises:
        ConfigurationError: The database cannot be used.
        ProviderUnknown: There is no provider of that name, and no connection is left of one.
    """
    open_tables()
    if provider is not None:
        _check_provider(provider)
    now = utc_now()
    status = ConnectionStatus.RENEWAL_FAILING if is_failing else None
    before = now + timedelta(days=days)
    page = _collect(provider, status, before=before, limit=limit, page_size=page_size, now=now)
    if as_json:
        print_json(page)
        return 0
    left = limit - len(page["items"])
    ended = _list_ended(provider, left, page_size) if is_failing else []
    soon = rfc3339(now + _SOON)
    rows = [_to_row(item, soon) for item in page["items"]]
    print_rows(_HEADS, [*rows, *map(_to_ended, ended[:left])])
    _print_conclusion(page)
    if is_failing:
        rest = "; --limit leaves out more" if len(ended) > left else ""
        print(f"{len(ended[:left])} connections wait for their users{rest}.", file=sys.stderr)
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


def _collect(
    provider: str | None,
    status: str | None,
    *,
    before: datetime,
    limit: int,
    page_size: int,
    now: datetime,
) -> RenewalPage:
    """Return the renewals that fall due before a time, as one page of up to `limit`."""
    found: list[ScheduledRenewal] = []
    cursor = None
    while True:
        page = list_renewals(
            provider=provider,
            status=status,
            before=before,
            cursor=cursor,
            limit=min(limit - len(found), page_size),
            now=now,
        )
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None or len(found) >= limit:
            return {**page, "items": found}


def _list_ended(provider: str | None, limit: int, page_size: int) -> list[TAB_CONNECTIONS]:
    """Return the connections whose users have to sign in again, and one more than `limit`."""
    found: list[TAB_CONNECTIONS] = []
    after, has_more = None, True
    while has_more and len(found) <= limit:
        size = min(limit + 1 - len(found), page_size)
        with hold_connection():
            rows = TAB_CONNECTIONS.list_page(
                providers=None if provider is None else list_keys(None, provider),
                status=ConnectionStatus.REAUTHORIZATION_REQUIRED,
                after=after,
                limit=size,
            )
        found += rows
        has_more = len(rows) == size
        after = (rows[-1].created_at, rows[-1].id) if rows else None
    return found


def _to_row(item: ScheduledRenewal, ends_soon: str) -> tuple[object, ...]:
    # Times that are written alike are in the order of their texts.
    end = item["grant_expires_at"]
    return (
        *(item["renew_at"], item["provider"], item["connection_id"], item["why"]),
        *(end if end and end <= ends_soon else None, say_in_commands(item["hindrance"] or "")),
    )


def _to_ended(row: TAB_CONNECTIONS) -> tuple[object, ...]:
    why = f"The user has to sign in again: {row.reason}"
    return None, public_name(row.provider), row.id, why, None, None


def _print_conclusion(page: RenewalPage) -> None:
    """Print what the list is to stderr, so that the list can be piped."""
    rest = "; --limit leaves out more" if page["next_cursor"] else ""
    print(f"{len(page['items'])} renewals would be made{rest}. None was.", file=sys.stderr)
    if not page["is_scheduled"]:
        print("renew_oath_tokens is off in config.toml: none is scheduled.", file=sys.stderr)
