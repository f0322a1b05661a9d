"""What tests of renewal do again and again: let a token fall due, and renew it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from actors.renewal.renew import renew_leased
from actors.renewal.sweep import sweep
from catfeeder.errors import CatFeederError
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.leases import Lease, claim
from tests.actors.sign_ins import now, reread, sign_in
from tests.scripted_provider import ScriptedProvider

HOUR = timedelta(hours=1)


def connect(provider: ScriptedProvider, count: int = 1, **options: Any) -> list[TAB_CONNECTIONS]:
    """Sign in that many users, each with an account of their own."""
    rows = []
    for number in range(1, count + 1):
        provider.script.user = {**provider.script.user, "id": str(number)}
        rows.append(sign_in(provider, **options).connection)
    return rows


def renew_all(at: datetime) -> list[type[Exception] | None]:
    """Sweep at a time and renew what is due then; return how each went."""
    outcomes: list[type[Exception] | None] = []

    def renew(leases: list[Lease]) -> None:
        for lease in leases:
            try:
                renew_leased(lease, at)
            except CatFeederError as error:
                outcomes.append(type(error))
            else:
                outcomes.append(None)

    sweep(at, renew)
    return outcomes


def tokens_of(row: TAB_CONNECTIONS) -> tuple[Secret | None, Secret | None]:
    """Return the access and refresh token that are stored now."""
    stored = reread(row)
    with hold_connection():
        return TAB_CONNECTIONS.access_token.open(stored), TAB_CONNECTIONS.refresh_token.open(stored)


def refreshes(provider: ScriptedProvider) -> list[str]:
    """Return the refresh tokens that the provider was shown."""
    forms = [request.form for request in provider.requests_for("/token")]
    return [form["refresh_token"] for form in forms if form["grant_type"] == "refresh_token"]


def leased(rows: list[TAB_CONNECTIONS]) -> list[tuple[str, int, str]]:
    """Lease connections now, and return what the message with their leases holds."""
    at = now()
    with hold_connection():
        leases = [claim(row.id, at, at + HOUR) for row in rows]
    return [(held.connection_id, held.version, held.until.isoformat()) for held in leases if held]
