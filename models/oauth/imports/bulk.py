"""Import of connections: grants of another system are stored in bulk, each of them once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

import peewee

from models.db.database import database, hold_connection, transaction
from models.db.statements import PreparedInsert
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.grants import Grant
from models.oauth.imports.grants import TAB_IMPORTED_GRANTS
from models.oauth.lookups.accounts import Account, find_accounts
from models.oauth.upserts import Owner, find_account, update_account

_T: Final = TAB_CONNECTIONS
_FIELDS: Final = tuple(_T._meta.sorted_fields)
_INSERT: Final = PreparedInsert(*_FIELDS)
#: A connection in one of these states works, or may again; an import leaves it alone.
_WORKING: Final = (ConnectionStatus.ACTIVE, ConnectionStatus.RENEWAL_FAILING)


class ImportOutcome(StrEnum):
    """What became of a grant that was to be imported."""

    CREATED = "created"
    #: It took the place of the account's grant.
    REPLACED = "replaced"
    #: It was imported before; its connection stays as it is now.
    KNOWN = "known"
    #: The account has another grant that works.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ImportedConnection:
    """A connection to be stored: `id` is that of a new one.

    `digests` name its grant, by the current key first.
    """

    owner: Owner
    digests: Sequence[str]
    profile: Mapping[str, Any]
    grant: Grant
    created_at: datetime
    #: What tells the account from its provider's others; None while it is not known whose it is.
    account_key: str | None = None
    variables: Mapping[str, str] | None = None
    status: ConnectionStatus = ConnectionStatus.ACTIVE
    may_replace: bool = False
    id: str = ""

    @property
    def provider_subject(self) -> str:
        """What identifies the account among those of its provider."""
        return f"{UNIDENTIFIED}{self.id}" if self.account_key is None else self.account_key

    @property
    def account(self) -> Account:
        """The account, among those of all apps and providers."""
        return self.owner.app, self.owner.provider, self.provider_subject


class Imported(NamedTuple):
    """What became of one of the grants, and the connection that now is, or was, there."""

    outcome: ImportOutcome
    connection_id: str


#: Records, within the transaction, the connections that were created or replaced.
RecordChanges = Callable[[Sequence[tuple[TAB_CONNECTIONS, ImportOutcome]]], None]
#: Begins `provider_subject` of a connection whose account is not known; its id follows.
UNIDENTIFIED: Final = "unidentified:"


def make_id() -> str:
    """Return the id of a new connection."""
    return str(uuid.uuid4())


def store_imports(
    items: Sequence[ImportedConnection], record: RecordChanges, now: datetime
) -> list[Imported]:
    """Store connections in one transaction, and return what became of each, in their order.

    A grant that was imported before changes nothing: its copy here may have been renewed since. One
    of an account whose connection works is refused unless it `may_replace` that.
    """
    try:
        return _Batch(items, record, now).store()
    except peewee.IntegrityError:
        # Another process has stored some of them at the same time; they are found now.
        return _Batch(items, record, now).store()


@contextmanager
def rolled_back() -> Iterator[None]:
    """Undo what the block stores: a trial meets all that an import would."""
    with hold_connection(), database.atomic() as attempt:
        yield
        attempt.rollback()


class _Batch:
    def __init__(
        self, items: Sequence[ImportedConnection], record: RecordChanges, now: datetime
    ) -> None:
        self._items = items
        self._record = record
        self._now = now
        self._new: dict[tuple[str, ...], ImportedConnection] = {}
        self._digests: dict[str, str] = {}
        self._changed: list[tuple[TAB_CONNECTIONS, ImportOutcome]] = []

    def store(self) -> list[Imported]:
        with transaction():
            self._known = self._find_known()
            self._accounts = find_accounts(item.account for item in self._items)
            self._taken = set(_T.find_providers(self._list_ids()))
            results = [self._decide(item) for item in self._items]
            _INSERT.execute_many(self._build_row(item) for item in self._new.values())
            TAB_IMPORTED_GRANTS.remember(self._digests, self._stored)
            self._record(self._changed)
        return results

    def _list_ids(self) -> list[str]:
        return [item.id for item in self._items]

    def _find_known(self) -> dict[str, str]:
        """Return the connection that is there for each digest of the batch."""
        found = TAB_IMPORTED_GRANTS.find_connections(
            digest for item in self._items for digest in item.digests
        )
        self._stored = found.keys()
        there = _T.find_providers(found.values())
        return {digest: name for digest, name in found.items() if name in there}

    def _decide(self, item: ImportedConnection) -> Imported:
        known = (self._known.get(digest) for digest in item.digests)
        if (connection_id := next(filter(None, known), None)) is not None:
            return Imported(ImportOutcome.KNOWN, connection_id)
        if item.account in self._accounts and (
            row := find_account(item.owner, item.provider_subject)
        ):
            return self._replace(row, item)
        return self._add(item)

    def _add(self, item: ImportedConnection) -> Imported:
        if item.id in self._taken:
            item = replace(item, id=make_id())
        self._taken.add(item.id)
        key = (*item.owner, item.provider_subject)
        first = self._new.get(key, item)
        if first is not item and not item.may_replace:
            return Imported(ImportOutcome.REFUSED, first.id)
        self._new[key] = replace(item, id=first.id)
        outcome = ImportOutcome.CREATED if first is item else ImportOutcome.REPLACED
        return self._note(outcome, first.id, item)

    def _replace(self, row: TAB_CONNECTIONS, item: ImportedConnection) -> Imported:
        is_dead = item.status not in _WORKING
        if is_dead or (row.status in _WORKING and not item.may_replace):
            return Imported(ImportOutcome.REFUSED, row.id)
        update_account(row, item.owner, {**row.profile, **_drop_empty(item)}, item.grant, self._now)
        return self._note(ImportOutcome.REPLACED, row.id, item)

    def _note(self, outcome: ImportOutcome, name: str, item: ImportedConnection) -> Imported:
        for digest in item.digests[:1]:
            self._known[digest] = self._digests[digest] = name
        self._changed.append((_T(id=name, **item.owner._asdict()), outcome))
        return Imported(outcome, name)

    def _build_row(self, item: ImportedConnection) -> list[Any]:
        values = {field.name: None for field in _FIELDS} | {
            "id": item.id,
            **item.owner._asdict(),
            "provider_subject": item.provider_subject,
            "profile": item.profile,
            "variables": item.variables,
            "status": item.status,
            "failures": 0,
            "created_at": item.created_at,
            **_T.build_grant_columns(item.id, 0, item.grant, self._now),
        }
        values |= {mac.name: mac.sign(values) for mac in _T.mac_fields()}
        return [values[field.name] for field in _FIELDS]


def _drop_empty(item: ImportedConnection) -> dict[str, Any]:
    return {name: value for name, value in item.profile.items() if value not in (None, {})}
