"""Deliveries of events: what a receiver has answered last, kept apart from the events."""

from __future__ import annotations

from typing import Any

import peewee


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the table; a release before neither reads nor writes it."""

    class WebhookDelivery(peewee.Model):
        event_id = peewee.BigIntegerField(primary_key=True)
        app = peewee.CharField(max_length=32)
        status = peewee.CharField(max_length=16)
        attempts = peewee.IntegerField()
        answer_status = peewee.IntegerField(null=True)
        answer = peewee.TextField(null=True)
        answered_at = peewee.BigIntegerField(index=True)
        event_digest = peewee.CharField(max_length=64)
        mac = peewee.BlobField(null=True)

        class Meta:
            database = db
            table_name = "webhook_deliveries"
            indexes = ((("app", "event_id"), False), (("status", "event_id"), False))

    db.create_tables([WebhookDelivery])
