"""The connections of a run: stored at first, and held against the provider's word at last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from actors.events.kinds import EventKind
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.grants import Grant
from models.oauth.upserts import Owner, store_connection
from tests.chaos.provider import SCOPE
from tests.chaos.provider_process import Account, ProviderProcess
from tests.chaos.stack import PROVIDER


@dataclass(frozen=True)
class Compared:
    """One connection: what the database holds, what the journal says, what the provider knows."""

    id: str
    status: str
    version: int
    access_token: str | None
    refresh_token: str | None
    #: Its events but for those of success, in their order, each with its reason.
    journal: list[tuple[str, str | None]]
    account: Account


def connect(provider: ProviderProcess, count: int, token_seconds: int) -> list[str]:
    """Let users consent and store a connection for each, as a sign-in does; return their ids."""
    now = datetime.now(UTC)
    ids = []
    with hold_connection():
        for number, tokens in enumerate(provider.consent(count, token_seconds)):
            grant = Grant(
                access_token=Secret(tokens["access_token"]),
                refresh_token=Secret(tokens["refresh_token"]),
                token_type="Bearer",
                scope=SCOPE,
                expires_at=now + timedelta(seconds=token_seconds),
                renew_at=now + timedelta(seconds=token_seconds * number / count),
            )
            row = store_connection(
                Owner(app="default", provider=PROVIDER, subject=f"user-{number}"),
                profile={"subject": str(number)},
                grant=grant,
                now=now,
            )
            ids.append(row.id)
    return ids


def versions(ids: Sequence[str]) -> dict[str, int]:
    """Return which grant each connection has now."""
    with hold_connection():
        return {row.id: row.version for row in map(TAB_CONNECTIONS.get_by_id, ids)}


def unsettled(ids: Sequence[str], since: dict[str, int]) -> list[str]:
    """Return the connections that were not renewed since, though they might have been."""
    with hold_connection():
        return [
            row.id
            for row in map(TAB_CONNECTIONS.get_by_id, ids)
            if row.status != ConnectionStatus.REAUTHORIZATION_REQUIRED
            and (row.status != ConnectionStatus.ACTIVE or row.version <= since[row.id])
        ]


def compare(ids: Sequence[str], provider: ProviderProcess) -> list[Compared]:
    """Hold each connection against what the provider knows of it."""
    accounts = provider.accounts()
    with hold_connection():
        return [_compare(*pair) for pair in zip(ids, accounts, strict=True)]


def _compare(connection_id: str, account: Account) -> Compared:
    row = TAB_CONNECTIONS.get_by_id(connection_id)
    events = TAB_EVENTS.select().where(TAB_EVENTS.connection_id == connection_id)
    others = [event for event in events.order_by(TAB_EVENTS.id) if event.kind != EventKind.RENEWED]
    return Compared(
        id=connection_id,
        status=row.status,
        version=row.version,
        access_token=_reveal(TAB_CONNECTIONS.access_token.open(row)),
        refresh_token=_reveal(TAB_CONNECTIONS.refresh_token.open(row)),
        journal=[(event.kind, (event.detail or {}).get("reason")) for event in others],
        account=account,
    )


def _reveal(token: Secret | None) -> str | None:
    return None if token is None else token.reveal()
