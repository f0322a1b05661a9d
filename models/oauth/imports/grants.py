"""Digests of the grants that were moved in: a second import of one finds its connection."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import peewee

from models.db.database import Table
from models.db.statements import PreparedInsert, is_one_of, split
from models.oauth.connections import TAB_CONNECTIONS
from models.sealing.row_macs import Authenticated, MacField


class TAB_IMPORTED_GRANTS(Authenticated, Table):
    """The connection that a grant was imported as, by the grant's keyed digest.

    The connection's own tokens may have been renewed since, and an older copy of them is spent: so
    its digest, and not its tokens, says that it was imported before.
    """

    digest = peewee.CharField(max_length=64, primary_key=True)
    connection_id = peewee.CharField(max_length=36)
    mac = MacField("connection_id")

    class Meta:
        """Names the table."""

        table_name = "imported_grants"

    @classmethod
    def find_connections(cls, digests: Iterable[str]) -> dict[str, str]:
        """Return the connection of each digest that has one, which need not be there any more."""
        found: dict[str, str] = {}
        for some in split(list(digests)):
            rows = cls.keep_authentic(cls.select().where(is_one_of(cls.digest, some)))
            found |= {row.digest: row.connection_id for row in rows}
        return found

    @classmethod
    def remember(cls, connections: Mapping[str, str], stored: Collection[str]) -> None:
        """Store the connection of each digest, in place of those of the digests that are stored."""
        for some in split([name for name in connections if name in stored]):
            cls.delete().where(cls.digest.in_(some)).execute()
        rows = [{"digest": name, "connection_id": it} for name, it in connections.items()]
        _INSERT.execute_many(
            (row["digest"], row["connection_id"], cls.mac.sign(row)) for row in rows
        )

    @classmethod
    def repoint(cls, old_id: str, new_id: str) -> None:
        """Let the digests of one connection lead to another one, which has got its grant."""
        rows = cls.keep_authentic(cls.select().where(cls.connection_id == old_id))
        found = {row.digest: new_id for row in rows}
        cls.remember(found, found)

    @classmethod
    def erase_orphans(cls) -> int:
        """Delete the digests of connections that are gone, and return how many those were."""
        is_there = TAB_CONNECTIONS.select().where(TAB_CONNECTIONS.id == cls.connection_id)
        return int(cls.delete().where(~peewee.fn.EXISTS(is_there)).execute())


_INSERT: Final = PreparedInsert(
    TAB_IMPORTED_GRANTS.digest, TAB_IMPORTED_GRANTS.connection_id, TAB_IMPORTED_GRANTS.mac
)
