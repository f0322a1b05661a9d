"""MACs of rows: from here on a row that decides access counts if this service has written it."""

from __future__ import annotations

from typing import Any, Final

import peewee

from models.db.database import Table
from models.db.fields import JSONField, SealedField
from models.sealing.row_macs import Authenticated, MacField

_BATCH: Final = 1000


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the columns, and authenticate what is stored now, once: a row without a MAC is refused.

    A release before writes none. So what it adds or changes after this counts as absent.
    """
    tables = _tables()
    for table in tables:
        for mac in table.mac_fields():
            column = peewee.BlobField(null=True)
            migrator.migrate(migrator.add_column(table._meta.table_name, mac.name, column))
    for table in tables:
        _sign_all(table)


def _sign_all(table: type[Authenticated]) -> None:
    last: Any = None
    key: Any = table._meta.primary_key
    is_wanted = table.deliver_at.is_null(False) if hasattr(table, "deliver_at") else None
    while True:
        query = table.select().order_by(key).limit(_BATCH)
        if is_wanted is not None:
            query = query.where(is_wanted)
        rows = list(query if last is None else query.where(key > last))
        for row in rows:
            macs = {mac: mac.sign(row.__data__) for mac in table.mac_fields()}
            table.update(macs).where(key == getattr(row, key.name)).execute()
        if len(rows) < _BATCH:
            return
        last = getattr(rows[-1], key.name)


def _tables() -> list[type[Authenticated]]:
    """Return the tables with the columns that their MACs cover, as they are at this version.

    Times are numbers here, which is how they are stored and authenticated.
    """

    class ApiKeys(Authenticated, Table):
        id = peewee.CharField(max_length=32, primary_key=True)
        app = peewee.CharField(max_length=32)
        name = peewee.CharField(max_length=255)
        key_hash = peewee.CharField(max_length=64)
        scopes = JSONField()
        requests_per_minute = peewee.IntegerField()
        created_at = peewee.BigIntegerField()
        expires_at = peewee.BigIntegerField(null=True)
        revoked_at = peewee.BigIntegerField(null=True)
        mac = MacField(
            *("app", "name", "key_hash", "scopes", "requests_per_minute"),
            *("created_at", "expires_at", "revoked_at"),
        )

        class Meta:
            table_name = "api_keys"

    class Apps(Authenticated, Table):
        id = peewee.CharField(max_length=32, primary_key=True)
        name = peewee.CharField(max_length=255)
        settings = JSONField()
        queue_generation = peewee.IntegerField()
        created_at = peewee.BigIntegerField()
        updated_at = peewee.BigIntegerField()
        mac = MacField("name", "settings", "queue_generation", "created_at", "updated_at")

        class Meta:
            table_name = "apps"

    class RetiredQueueKeys(Authenticated, Table):
        app = peewee.CharField(max_length=32, primary_key=True)
        queue_generation = peewee.IntegerField()
        mac = MacField("queue_generation")

        class Meta:
            table_name = "retired_queue_keys"

    return [ApiKeys, Apps, RetiredQueueKeys, *_tables_of_sign_in()]


def _tables_of_sign_in() -> list[type[Authenticated]]:
    settings = ("preset", "client_id", "metadata")

    class Providers(Authenticated, Table):
        name = peewee.CharField(max_length=64, primary_key=True)
        preset = peewee.CharField(max_length=64, null=True)
        client_id = peewee.TextField(null=True)
        client_secret = SealedField(null=True)
        earlier_client_secrets = SealedField(null=True)
        private_key = SealedField(null=True)
        metadata = JSONField()
        discovered = JSONField(null=True)
        learned = JSONField(null=True)
        mac = MacField(*settings, "client_secret", "earlier_client_secrets", "private_key")
        discovered_mac = MacField("discovered", *settings, is_optional=True)
        learned_mac = MacField("learned", *settings, is_optional=True)

        class Meta:
            table_name = "user_oauth_connection"

    class Verification(Authenticated, Table):
        state_hash = peewee.CharField(max_length=64, primary_key=True)
        app = peewee.CharField(max_length=32)
        provider = peewee.CharField(max_length=64)
        subject = peewee.CharField(max_length=255)
        scope = peewee.TextField()
        redirect_uri = peewee.TextField()
        return_to = peewee.TextField(null=True)
        browser_hash = peewee.CharField(max_length=64, null=True)
        is_relayed = peewee.BooleanField()
        max_age = peewee.IntegerField(null=True)
        nonce = SealedField(null=True)
        code_verifier = SealedField(null=True)
        callback_parameters = JSONField(null=True)
        created_at = peewee.BigIntegerField()
        expires_at = peewee.BigIntegerField()
        mac = MacField(
            *("app", "provider", "subject", "scope", "redirect_uri", "return_to", "browser_hash"),
            *("is_relayed", "max_age", "created_at", "expires_at"),
        )
        secrets_mac = MacField("nonce", "code_verifier")
        parameters_mac = MacField("callback_parameters", is_optional=True)

        class Meta:
            table_name = "verification"

    return [Providers, Verification, *_tables_of_connections()]


def _tables_of_connections() -> list[type[Authenticated]]:
    class Connections(Authenticated, Table):
        id = peewee.CharField(max_length=36, primary_key=True)
        app = peewee.CharField(max_length=32)
        provider = peewee.CharField(max_length=64)
        subject = peewee.CharField(max_length=255)
        provider_subject = peewee.CharField(max_length=255)
        profile = JSONField()
        metadata = JSONField(null=True)
        mac = MacField("app", "provider", "subject", "provider_subject", "profile")
        metadata_mac = MacField("metadata", is_optional=True)

        class Meta:
            table_name = "connections"

    class Events(Authenticated, Table):
        id = peewee.BigAutoField()
        app = peewee.CharField(max_length=32)
        kind = peewee.CharField(max_length=64)
        key_id = peewee.CharField(max_length=32, null=True)
        provider = peewee.CharField(max_length=64, null=True)
        connection_id = peewee.CharField(max_length=36, null=True)
        subject = peewee.CharField(max_length=255, null=True)
        detail = JSONField(null=True)
        created_at = peewee.BigIntegerField()
        deliver_at = peewee.BigIntegerField(null=True)
        mac = MacField(
            *("app", "kind", "key_id", "provider", "connection_id", "subject", "detail"),
            "created_at",
        )

        class Meta:
            table_name = "events"

    return [Connections, Events]
