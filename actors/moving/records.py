"""Record of an import: one connection of another system, as it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from catfeeder.sealing import Secret
from models.oauth.connections import ConnectionStatus

#: A connection in one of these states has no grant that works, and is moved in as it is.
DEAD_STATUSES: Final = (
    *(ConnectionStatus.ENDED, ConnectionStatus.REAUTHORIZATION_REQUIRED, ConnectionStatus.REVOKED),
)


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """A connection to be imported: a token or credentials, and what else is known of it."""

    provider: str
    #: That of an exported connection, which apps know it by; a new one if it is taken.
    id: str | None = None
    access_token: Secret | None = None
    refresh_token: Secret | None = None
    #: The app's own name for the user.
    subject: str | None = None
    token_type: str | None = None
    scope: str | None = None
    expires_at: datetime | None = None
    refresh_token_expires_at: datetime | None = None
    #: Members of the normalised profile; `subject` is the provider's name for the user.
    profile: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] | None = None
    #: What the provider's URLs are filled in with for this account.
    variables: Mapping[str, str] = field(default_factory=dict)
    #: What a connection without a browser is made from, as `POST /v1/connections` takes it.
    credentials: Mapping[str, Secret] | None = None
    #: The scope to ask for by credentials.
    asked_scope: str | None = None
    missing_scope: str = ""
    #: One of `DEAD_STATUSES`, of an exported connection.
    status: str | None = None
    created_at: datetime | None = None
    #: Whether it takes the place of another grant of the account that works.
    replace: bool = False
