"""Grants that were moved in, each known by a digest: moved in again, it changes nothing."""

from __future__ import annotations

from typing import Any

import peewee


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the table; a release before neither reads nor writes it."""

    class ImportedGrants(peewee.Model):
        digest = peewee.CharField(max_length=64, primary_key=True)
        connection_id = peewee.CharField(max_length=36)
        mac = peewee.BlobField(null=True)

        class Meta:
            database = db
            table_name = "imported_grants"

    db.create_tables([ImportedGrants])
