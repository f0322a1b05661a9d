"""Column types that the databases lack: times in UTC, JSON, and sealed secrets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import peewee

from catfeeder.errors import SealBroken
from catfeeder.sealing import Secret
from models.db.database import Table, sealer
from models.db.errors import StoredSecretBroken

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
#: As `json.dumps` with this option, which makes an encoder for each call.
_write_json: Final = json.JSONEncoder(sort_keys=True).encode
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)


class UTCDateTimeField(peewee.BigIntegerField):
    """A time, stored as milliseconds since 1970 in UTC: a database's time zone cannot change it."""

    def db_value(self, value: datetime | None) -> int | None:
        """Turn an aware datetime into milliseconds."""
        return None if value is None else (value - _EPOCH) // _MILLISECOND

    def python_value(self, value: int | None) -> datetime | None:
        """Turn milliseconds into an aware datetime in UTC; what is no time into the earliest."""
        try:
            return None if value is None else _EPOCH + value * _MILLISECOND
        except (TypeError, OverflowError):
            # Another writer's: SQLite stores a text in any column.
            return _EARLIEST


class JSONField(peewee.TextField):
    """JSON data, stored as text, the same on every database."""

    def db_value(self, value: object) -> str | None:
        """Write JSON data as text."""
        # In ASCII: JSON may escape half a surrogate pair, which no database takes as text.
        return None if value is None else _write_json(value)

    def python_value(self, value: str | None) -> Any:
        """Read text as JSON data; what is no JSON, which another writer has stored, as it is."""
        try:
            return None if value is None else json.loads(value)
        except (ValueError, RecursionError):
            return value


class SealedField(peewee.BlobField):
    """A secret, sealed for its table, row and column: in any other place it does not open."""

    def seal(self, row_id: str, secret: Secret | None) -> bytes | None:
        """Return the bytes that the row `row_id` stores for `secret`."""
        if secret is None:
            return None
        return sealer().seal(secret.reveal_bytes(), self._context(row_id))

    def open(self, row: Table) -> Secret | None:
        """Return the secret that `row` holds in this column.

        Raises:
            StoredSecretBroken: It was sealed for another place, or with a key that this process
                lacks.
        """
        sealed = getattr(row, self.name)
        if sealed is None:
            return None
        key = primary_key_of(row)
        try:
            return Secret.of(sealer().open(bytes(sealed), self._context(key)))
        except SealBroken:
            owner, remedy = row.sealed_owner, row.sealed_remedy
            name = str(key).rpartition("/")[2]
            named = owner.format(name=name), remedy.format(name=name)
            raise StoredSecretBroken.of(self.name, *named) from None

    def reseal(self, row: Table) -> bytes | None:
        """Return the secret of `row` sealed with the current key; None if no key opens it."""
        return sealer().reseal(bytes(getattr(row, self.name)), self._context(primary_key_of(row)))

    def is_outdated(self, row: Table) -> bool:
        """Tell whether `row` holds a secret that is not sealed with the current key."""
        sealed = getattr(row, self.name)
        return sealed is not None and not bytes(sealed).startswith(sealer().current_prefix)

    def select_outdated(self) -> peewee.Expression:
        """Return the condition of the rows for which `is_outdated` is true."""
        mark = sealer().current_prefix
        return peewee.fn.SUBSTR(self, 1, len(mark)) != mark

    def _context(self, row_id: str) -> str:
        return f"{self.model._meta.table_name}:{row_id}:{self.column_name}"


def primary_key_of(row: Table) -> Any:
    """Return the value of the primary key of `row`."""
    primary_key: Any = row._meta.primary_key
    return getattr(row, primary_key.name)
