"""Import of a file: batch by batch, each record once, each refused one with its sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Final, TypeVar

from actors.errors import AuthError
from actors.moving.credentials import prepare_credentials
from actors.moving.errors import ConnectionExists, ImportInvalid
from actors.moving.field_map import FieldMap
from actors.moving.files import FileRecord
from actors.moving.first_renewals import read_rules
from actors.moving.importing import prepare_import, store_prepared
from actors.moving.restoring import KINDS
from actors.providers.config.discovery import resolve_provider
from actors.providers.errors import ProviderUnknown
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from models.oauth.imports.bulk import Imported, ImportedConnection, ImportOutcome, rolled_back

#: Records of a transaction. SQLite admits no other writer meanwhile: some 50 milliseconds.
_BATCH: Final = 500
#: Renewals at the same time that prove what was imported.
_VERIFIERS: Final = 8
#: What a look-up of a provider finds.
Found = TypeVar("Found")
_CHANGED: Final = (ImportOutcome.CREATED, ImportOutcome.REPLACED)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that was not imported, or whose grant is not proven, and why; never a token."""

    number: int
    code: str
    reason: str


@dataclass(slots=True)
class Progress:
    """How far an import is, after a batch."""

    #: Records and bytes of the file that are dealt with.
    records: int = 0
    position: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)


def import_records(
    records: Iterable[FileRecord],
    fields: FieldMap,
    *,
    is_trial: bool = False,
    verify: Callable[[str], object] | None = None,
) -> Iterator[Progress]:
    """Import records for the acting app, and yield the progress of each batch once it is stored.

    `counts` and `refusals` are those of the batch. A trial stores nothing. `verify` is called with
    the id of each connection that is new, in threads.
    """
    preparation = _Preparation(fields)
    iterator = iter(records)
    while batch := list(islice(iterator, _BATCH)):
        progress = Progress(batch[-1].number, batch[-1].position)
        _import_batch(batch, preparation, progress, is_trial=is_trial, verify=verify)
        yield progress


def _remember(look_up: Callable[[str], Found]) -> Callable[[str], Found]:
    """Return a look-up of providers with a memory, also of errors.

    No sentence repeats a name of a file.
    """

    @cache
    def remember(provider: str) -> Found | AuthError:
        try:
            return look_up(provider)
        except ProviderUnknown:
            return ProviderUnknown("The app may use no provider of the name that it has.")
        except AuthError as error:
            return error

    def find(provider: str) -> Found:
        found = remember(provider)
        if isinstance(found, AuthError):
            raise found
        return found

    return find


class _Preparation:
    """Turns records into connections to be stored, with each provider looked up once."""

    def __init__(self, fields: FieldMap) -> None:
        self._fields = fields
        self._find_rules = _remember(read_rules)
        # Its issuer is asked where the service has not asked it before.
        self._find_provider = _remember(lambda name: resolve_provider(name, utc_now()))

    def prepare(self, record: FileRecord, now: datetime) -> ImportedConnection:
        """Return what a record says.

        Raises:
            AuthError: It cannot be imported.
        """
        if record.members is None:
            raise ImportInvalid(record.problem)
        if record.members.get("kind") in KINDS:
            raise ImportInvalid("It is no connection; `import --identity` restores it.")
        given = self._fields.read(record.members)
        if given.credentials is None or not given.provider:
            return prepare_import(given, now, self._find_rules)
        rules = self._find_rules(given.provider)
        return prepare_credentials(given, now, rules, self._find_provider)


def _import_batch(
    batch: Sequence[FileRecord],
    preparation: _Preparation,
    progress: Progress,
    *,
    is_trial: bool,
    verify: Callable[[str], object] | None,
) -> None:
    now = utc_now()
    prepared: list[tuple[int, ImportedConnection]] = []
    for record in batch:
        try:
            prepared.append((record.number, preparation.prepare(record, now)))
        except AuthError as error:
            _refuse(progress, record.number, error)
    items = [item for _, item in prepared]
    if is_trial:
        with rolled_back():
            results = store_prepared(items, now, source="file")
    else:
        results = store_prepared(items, now, source="file")
    numbers = [number for number, _ in prepared]
    _count(progress, numbers, results)
    if verify is not None and not is_trial:
        _verify(progress, numbers, results, verify)
    progress.refusals.sort(key=lambda refusal: refusal.number)


def _count(progress: Progress, numbers: Sequence[int], results: Sequence[Imported]) -> None:
    for number, result in zip(numbers, results, strict=True):
        if result.outcome is ImportOutcome.REFUSED:
            _refuse(progress, number, ConnectionExists())
        else:
            progress.counts[str(result.outcome)] += 1


def _refuse(progress: Progress, number: int, error: CatFeederError) -> None:
    progress.counts["refused"] += 1
    progress.refusals.append(Refusal(number, error.code, error.public_detail))


def _verify(
    progress: Progress,
    numbers: Sequence[int],
    results: Sequence[Imported],
    verify: Callable[[str], object],
) -> None:
    new = [
        (number, result.connection_id)
        for number, result in zip(numbers, results, strict=True)
        if result.outcome in _CHANGED
    ]

    def prove(name: str) -> CatFeederError | None:
        try:
            verify(name)
        except CatFeederError as error:
            return error
        return None

    with ThreadPoolExecutor(_VERIFIERS) as pool:
        proofs = [(number, pool.submit(copy_context().run, prove, name)) for number, name in new]
        for number, proof in proofs:
            error = proof.result()
            progress.counts["verified" if error is None else "unverified"] += 1
            if error is not None:
                refusal = Refusal(number, error.code, error.public_detail)
                progress.refusals.append(refusal)
