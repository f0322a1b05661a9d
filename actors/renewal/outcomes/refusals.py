"""Refused alone: a connection that its provider refuses for long while it renews others."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from actors.errors import AuthError, FailureKind
from actors.providers.errors import ProviderRefused
from catfeeder.clock import rfc3339
from catfeeder.errors import CatFeederError
from config import current_settings
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.leases import has_renewed_since

#: A connection that was refused less often is tried again, however long ago the first time was.
_MIN_REFUSALS: Final = 5


class RefusedAlone(AuthError):
    """Raised for a connection that its provider refuses for long while it renews others."""

    message = "The provider refuses this connection alone; sign in again."
    kind = FailureKind.GRANT_DEAD

    def __init__(self, error: ProviderRefused, since: datetime) -> None:
        sentence = f"Refused since {rfc3339(since)}, while others were renewed; sign in again."
        super().__init__(f"{sentence} The last answer: {error.error}.")
        self.answer = error.answer


def find_lasting_refusal(
    row: TAB_CONNECTIONS, error: CatFeederError, now: datetime
) -> RefusedAlone | None:
    """Return the error to give a connection up with, if its refusals have lasted long enough.

    That is for `refused_alone_seconds`, while its provider renewed others. None if it is to be
    tried again.
    """
    since = row.refused_since
    if not isinstance(error, ProviderRefused) or since is None:
        return None
    least_duration = timedelta(seconds=current_settings().oauth.refused_alone_seconds)
    is_failing = row.status == ConnectionStatus.RENEWAL_FAILING and row.failures >= _MIN_REFUSALS
    if not is_failing or now - since < least_duration:
        return None
    with hold_connection():
        is_alone = has_renewed_since(row.provider, max(since, now - least_duration))
    return RefusedAlone(error, since) if is_alone else None
