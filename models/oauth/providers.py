"""Provider configuration: what an operator has set about each provider, as it was set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, overload

import peewee

from catfeeder.sealing import Secret
from models.db.database import Table, database
from models.db.fields import JSONField, SealedField, UTCDateTimeField
from models.db.statements import find_by_key
from models.sealing.row_macs import Authenticated, MacField

#: What an operator has set, whichever of it decides where tokens and secrets are sent.
_SETTINGS: Final = ("preset", "client_id", "metadata")


def own_key(app: str, name: str) -> str:
    """Return the `name` column of an app's own provider; a shared one's is the name alone."""
    return f"{app}/{name}"


def list_keys(app: str | None, name: str) -> list[str]:
    """Return the keys that a name may stand for in an app: the shared provider's, and its own.

    Without an app they are those of all apps, for an operator, on a connection that is held.
    """
    if app is not None:
        return [name, own_key(app, name)]
    column = TAB_USER_OAUTH_CONNECTION.name
    rows = TAB_USER_OAUTH_CONNECTION.select(column).where(column.endswith(f"/{name}"))
    return [name, *(row.name for row in rows if public_name(row.name) == name)]


def list_names(app: str | None) -> list[str]:
    """Return the names that stand for a provider in an app, or without one in any, sorted."""
    column = TAB_USER_OAUTH_CONNECTION.name
    keys = [row.name for row in TAB_USER_OAUTH_CONNECTION.select(column)]
    return sorted({public_name(key) for key in keys if app is None or owner_of(key) in (None, app)})


@overload
def public_name(key: str) -> str: ...
@overload
def public_name(key: str | None) -> str | None: ...
def public_name(key: str | None) -> str | None:
    """Return the name by which apps know the provider of a `name` column."""
    return None if key is None else key.rpartition("/")[2]


def owner_of(key: str | None) -> str | None:
    """Return the app whose own the provider of a `name` column is; None for a shared one."""
    return (key or "").rpartition("/")[0] or None


class TAB_USER_OAUTH_CONNECTION(Authenticated, Table):
    """One provider: a preset or issuer, credentials, and the metadata that differs from both.

    An app's own provider has the app's id and a slash before its name; no app's name has a slash.
    `metadata` has the names of RFC 8414 and RFC 7591; `discovered` is what the issuer published,
    and `learned` the settings that answers of the provider have shown to be needed.
    """

    sealed_owner = "provider {name}"
    sealed_remedy = "PUT /v1/providers/{name} sets it anew"

    name = peewee.CharField(max_length=64, primary_key=True)
    preset = peewee.CharField(max_length=64, null=True)
    client_id = peewee.TextField(null=True)
    client_secret = SealedField(null=True)
    earlier_client_secrets = SealedField(null=True)
    private_key = SealedField(null=True)
    metadata = JSONField()
    discovered = JSONField(null=True)
    discovered_at = UTCDateTimeField(null=True)
    learned = JSONField(null=True)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()
    mac = MacField(*_SETTINGS, "client_secret", "earlier_client_secrets", "private_key")
    #: Both belong to the settings by which they were found, and to no others.
    discovered_mac = MacField("discovered", *_SETTINGS, is_optional=True)
    learned_mac = MacField("learned", *_SETTINGS, is_optional=True)

    class Meta:
        """Names the table."""

        table_name = "user_oauth_connection"

    @classmethod
    def find(cls, name: str) -> TAB_USER_OAUTH_CONNECTION | None:
        """Return the provider of that name, authentic or not."""
        return find_by_key(cls, name)

    @classmethod
    def lock(cls, name: str) -> None:
        """Lock a provider's row until this transaction ends.

        SQLite admits one writer at a time anyway.
        """
        if database.for_update:
            cls.select(cls.name).where(cls.name == name).for_update().execute()

    @classmethod
    def list_all(cls) -> list[TAB_USER_OAUTH_CONNECTION]:
        """Return all providers in the order of their names."""
        return cls.keep_authentic(cls.select().order_by(cls.name))

    @property
    def app(self) -> str | None:
        """The app whose own provider it is; None for a shared one."""
        return owner_of(self.name)

    @classmethod
    def erase_all(cls, app: str) -> None:
        """Delete every provider of an app's own."""
        cls.delete().where(cls.name.startswith(own_key(app, ""))).execute()

    @classmethod
    def put(
        cls,
        name: str,
        *,
        preset: str | None,
        client_id: str | None,
        client_secret: Secret | None,
        earlier_client_secrets: Sequence[Secret] = (),
        private_key: Secret | None = None,
        metadata: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Create or replace a provider; what was discovered and learned before is erased."""
        texts = [secret.reveal() for secret in earlier_client_secrets]
        earlier = Secret(json.dumps(texts)) if texts else None
        cls._insert_or_replace(
            name=name,
            preset=preset,
            client_id=client_id,
            client_secret=cls.client_secret.seal(name, client_secret),
            earlier_client_secrets=cls.earlier_client_secrets.seal(name, earlier),
            private_key=cls.private_key.seal(name, private_key),
            metadata=dict(metadata),
            created_at=now,
            updated_at=now,
        )

    @classmethod
    def _insert_or_replace(cls, **columns: Any) -> None:
        cls.insert(**columns).on_conflict(
            conflict_target=[cls.name],
            preserve=[
                *(cls.preset, cls.client_id, cls.client_secret, cls.earlier_client_secrets),
                *(cls.private_key, cls.metadata, cls.updated_at, cls.mac),
            ],
            update={
                **dict.fromkeys((cls.discovered, cls.discovered_at, cls.learned)),
                **dict.fromkeys((cls.discovered_mac, cls.learned_mac)),
            },
        ).execute()

    @property
    def client_secrets(self) -> list[Secret]:
        """The client secrets, opened, the newest first.

        Raises:
            SealBroken: They were sealed for another row, or with a key that this process lacks.
        """
        table = type(self)
        newest = table.client_secret.open(self)
        earlier = table.earlier_client_secrets.open(self)
        texts = json.loads(earlier.reveal()) if earlier else []
        return [*([newest] if newest else []), *map(Secret, texts)]

    @classmethod
    def add_missing(cls, name: str, preset: str, now: datetime) -> None:
        """Add a preset's provider unless one of that name exists."""
        cls.insert(
            name=name, preset=preset, metadata={}, created_at=now, updated_at=now
        ).on_conflict_ignore().execute()

    def store_discovery(self, discovered: Mapping[str, Any], now: datetime) -> None:
        """Store the metadata that the issuer publishes, so that no other process need ask.

        It is discarded if the settings have changed since they were read: it may be another
        issuer's, to which the new secret must not be sent.
        """
        table = type(self)
        changes = self.sign_changes(discovered=dict(discovered), discovered_at=now)
        table.update(changes).where(
            table.name == self.name, table.updated_at == self.updated_at
        ).execute()

    def store_learned(self, learned: Mapping[str, Any]) -> None:
        """Store what an answer has shown, unless the settings have changed since."""
        table = type(self)
        table.update(self.sign_changes(learned=dict(learned))).where(
            table.name == self.name, table.updated_at == self.updated_at
        ).execute()

    @classmethod
    def erase(cls, name: str) -> bool:
        """Delete a provider; False if there was none."""
        return bool(cls.delete().where(cls.name == name).execute())
