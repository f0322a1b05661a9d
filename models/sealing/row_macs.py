"""Message authentication codes of rows (HMAC, RFC 2104): what decides access is ours or absent.

Without SECRET_KEY nothing that writes the database makes a MAC: a row that it adds or changes
counts as absent. A MAC says nothing of rows that were deleted, or put back as they once were.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import peewee

from models.db.database import Table, mac_keys
from models.db.fields import SealedField, primary_key_of

_LOG: Final = logging.getLogger(__name__)
_VERSION: Final = b"\x01"
#: Version and key id, as a sealed value has them.
_PREFIX_BYTES: Final = 5
#: What a process has reported already; the list is bounded, as a writer can make endless rows.
_reported: Final[set[tuple[str, str]]] = set()
_MAX_REPORTED: Final = 1000
_HASH_DIGITS: Final = 64

#: Writes the value of a column for a MAC; None for one that is left out.
Encode: TypeAlias = Callable[[peewee.Field, Any], bytes | None]

#: Each is called once a process with the table and the name of a row that does not count.
reporters: Final[list[Callable[[str, str], None]]] = []


class MacField(peewee.BlobField):
    """The MAC of other columns of its row, for this row and table alone.

    A column that is NULL is left out of what is authenticated, so a column that is added later
    changes no MAC. Of a sealed column it counts only whether it is NULL: its own seal, which is
    bound to the row, protects the rest.
    """

    def __init__(self, *covered: str, is_optional: bool = False) -> None:
        """`covered` are the columns; with `is_optional` none is needed if the first is NULL."""
        super().__init__(null=True)
        self.covered: Final = covered
        self._is_optional = is_optional

    def sign(self, values: Mapping[str, Any]) -> bytes | None:
        """Return the MAC of a row by the current key; `values` has its key and all columns."""
        if self._is_void(values):
            return None
        key_id, key = next(iter(mac_keys().items()))
        return _VERSION + key_id + hmac.digest(key, self._encode(values), "sha256")

    def holds(self, row: Table) -> bool:
        """Tell whether the columns of a row are as this service has written them."""
        return self._is_mac_of(row.__data__, _encode_value)

    def holds_as_stored(self, values: Mapping[str, Any]) -> bool:
        """Tell the same of values that are as the database has them, without reading them.

        False may mean that a JSON text is written in another way than ours.
        """
        return self._is_mac_of(values, _encode_stored)

    def _is_mac_of(self, values: Mapping[str, Any], encode: Encode) -> bool:
        if self._is_void(values):
            return True
        found = bytes(values.get(self.name) or b"")
        key = mac_keys().get(found[1:_PREFIX_BYTES])
        if key is None or found[:1] != _VERSION:
            return False
        expected = hmac.digest(key, self._encode(values, encode), "sha256")
        return hmac.compare_digest(found[_PREFIX_BYTES:], expected)

    def compute_digest(self, row: Table) -> str:
        """Return the SHA-256 of the columns of a row, for another table's MAC to vouch for them."""
        return hashlib.sha256(self._encode(row.__data__)).hexdigest()

    def reseal(self, row: Table) -> bytes | None:
        """Return the MAC of `row` by the current key; None if the one that it has does not hold."""
        return self.sign(row.__data__) if self.holds(row) else None

    def is_outdated(self, row: Table) -> bool:
        """Tell whether `row` has a MAC by another key than the current one."""
        found = getattr(row, self.name)
        return found is not None and not bytes(found).startswith(_current_prefix())

    def select_outdated(self) -> peewee.Expression:
        """Return the condition of the rows for which `is_outdated` is true."""
        return peewee.fn.SUBSTR(self, 1, _PREFIX_BYTES) != _current_prefix()

    def _is_void(self, values: Mapping[str, Any]) -> bool:
        return self._is_optional and values.get(self.covered[0]) is None

    def _encode(self, values: Mapping[str, Any], encode: Encode | None = None) -> bytes:
        """Return table, MAC, and name and value of each column, each after its length."""
        encode = encode or _encode_value
        parts = [self._place]
        for name, field, column in self._columns:
            if (text := encode(field, values[name])) is not None:
                parts += (column, len(text).to_bytes(4, "big"), text)
        return b"".join(parts)

    @cached_property
    def _place(self) -> bytes:
        names = (self.model._meta.table_name, self.column_name)
        return b"".join(_after_length(name.encode()) for name in names)

    @cached_property
    def _columns(self) -> list[tuple[str, peewee.Field, bytes]]:
        """The columns that are authenticated, in the order of their names."""
        meta = self.model._meta
        # A number that the database assigns is not known yet when the row is signed.
        keys = [] if isinstance(meta.primary_key, peewee.AutoField) else [meta.primary_key.name]
        fields = [(name, meta.fields[name]) for name in sorted((*keys, *self.covered))]
        return [(name, field, _after_length(field.column_name.encode())) for name, field in fields]


def _after_length(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


def _current_prefix() -> bytes:
    return _VERSION + next(iter(mac_keys()))


def _encode_value(field: peewee.Field, value: Any) -> bytes | None:
    if value is None:
        return None
    if isinstance(field, SealedField):
        return b"sealed"
    stored = field.db_value(value)
    if isinstance(stored, str):
        return b"t" + stored.encode(errors="surrogatepass")
    return b"i%d" % int(stored)


def _encode_stored(field: peewee.Field, value: Any) -> bytes | None:
    if type(value) is str and not isinstance(field, SealedField):
        return b"t" + value.encode(errors="surrogatepass")
    if type(value) is int:
        return b"i%d" % value
    # A sealed column, or NULL; what another writer has put in the place of a text fails there.
    return _encode_value(field, value)


if TYPE_CHECKING:
    _Mixed = Table
else:
    # A model of its own would be one more table to Peewee.
    _Mixed = object


class Authenticated(_Mixed):
    """Adds MACs to a table: made on insert, and an update that forgets one is refused."""

    @classmethod
    def mac_fields(cls) -> list[MacField]:
        """Return the columns that hold MACs."""
        return [field for field in cls._meta.sorted_fields if isinstance(field, MacField)]

    @classmethod
    def insert(cls, data: Any = None, /, **more: Any) -> peewee.ModelInsert:
        """Insert a row with its MACs."""
        given: dict[peewee.Field, Any] = cls._normalize_data(data, more)  # type: ignore[attr-defined]
        values = {field.name: _default_of(field) for field in cls._meta.sorted_fields}
        values |= {field.name: value for field, value in given.items()}
        macs = {field: field.sign(values) for field in cls.mac_fields() if field not in given}
        insert: peewee.ModelInsert = super().insert({**given, **macs})
        return insert

    @classmethod
    def update(cls, data: Any = None, /, **more: Any) -> peewee.ModelUpdate:
        """Update columns.

        Raises:
            TypeError: Columns are among them that a MAC covers, and the MAC is not.
        """
        given: dict[peewee.Field, Any] = cls._normalize_data(data, more)  # type: ignore[attr-defined]
        names = {field.name for field in given}
        for field in cls.mac_fields():
            if field.name not in names and (forgotten := names & set(field.covered)):
                raise TypeError(f"{sorted(forgotten)} of {cls.__name__} need a new {field.name}.")
        update: peewee.ModelUpdate = super().update(given)
        return update

    @classmethod
    def update_sealed(cls, data: Mapping[str, Any]) -> peewee.ModelUpdate:
        """Update seals and MACs to those by another key; what they protect stays as it is."""
        update: peewee.ModelUpdate = super().update(cls._normalize_data(data, {}))  # type: ignore[attr-defined]
        return update

    def sign_changes(self, **changes: Any) -> dict[str, Any]:
        """Return changes of this row with the MACs that they need. Its own must hold."""
        values = {**self.__data__, **changes}
        touched = [mac for mac in self.mac_fields() if changes.keys() & set(mac.covered)]
        return {**{mac.name: mac.sign(values) for mac in touched}, **changes}

    def required_macs(self) -> list[MacField]:
        """Return the MACs that must hold for this row to count."""
        return self.mac_fields()

    @property
    def is_authentic(self) -> bool:
        """Tell whether the row is as this service has written it, and report it if not."""
        if all(mac.holds(self) for mac in self.required_macs()):
            return True
        _report(self)
        return False

    @classmethod
    def keep_authentic(cls, rows: Iterable[Self]) -> list[Self]:
        """Return the rows that are as this service has written them."""
        return [row for row in rows if row.is_authentic]

    @classmethod
    def authentic(cls, row: Self | None) -> Self | None:
        """Return a row if it is as this service has written it."""
        return row if row is not None and row.is_authentic else None


def _default_of(field: peewee.Field) -> Any:
    return field.default() if callable(field.default) else field.default


def name_row(row: Table) -> str:
    """Return the key of a row for a log: no control character, and of a hash the beginning."""
    text = ascii(str(primary_key_of(row)))[1:-1]
    return f"{text[:8]}..." if len(text) >= _HASH_DIGITS else text


def _report(row: Table) -> None:
    """Log a row that does not count, once a process, and tell those that asked for it."""
    table, name = row._meta.table_name, name_row(row)
    if (table, name) in _reported or len(_reported) >= _MAX_REPORTED:
        return
    _reported.add((table, name))
    text = (
        "Row %s of the table %s is not as this service wrote it (its MAC does not hold), so it "
        "counts as absent: something else has written to the database. "
        "`python -m worker rows list` lists such rows and what to do."
    )
    _LOG.error(text, name, table)
    for reporter in reporters:
        reporter(table, name)
