"""Write-ahead keeping of answers: in the journal, or in a file while the database is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Final

from actors.renewal.batches import Emit, emit_in_batches
from actors.renewal.limits import LIMITS, RenewalLimits
from catfeeder.sealing import Secret
from models.db.database import hold_connection, transaction
from models.renewal.answer_files import erase_answer_file, read_answer_files, write_answer_file
from models.renewal.grouped_writes import write_answer
from models.renewal.interrupted import import_answer, list_interrupted_renewals
from models.renewal.journal import seal_answer
from models.renewal.leases import Lease, claim

_LOG = logging.getLogger(__name__)
#: The next sweep continues where this one ends.
_MAX_RECOVERED: Final = 1000


class Watchdog:
    """Acts in place of threads whose work takes too long, from one thread that they share."""

    def __init__(self, check_seconds: float = 0.25) -> None:
        self._check_seconds = check_seconds
        self._guard = threading.Lock()
        self._watched: dict[object, tuple[float, Callable[[], None]]] = {}
        self._is_running = False

    @contextmanager
    def act_after(self, seconds: float, act: Callable[[], None]) -> Iterator[None]:
        """Call `act`, which must not raise, if the block has not ended after so many seconds."""
        key = object()
        with self._guard:
            self._watched[key] = (time.monotonic() + seconds, act)
            if not self._is_running:
                # An interpreter that ends starts no threads; the block then runs unwatched.
                with suppress(RuntimeError):
                    threading.Thread(target=self._run, name="watchdog", daemon=True).start()
                    self._is_running = True
        try:
            yield
        finally:
            with self._guard:
                self._watched.pop(key, None)

    def _run(self) -> None:
        """Check as long as there are blocks: the thread ends with the last, so idling is free."""
        while True:
            time.sleep(self._check_seconds)
            with self._guard:
                self._is_running = bool(self._watched)
                if not self._watched:
                    return
                now = time.monotonic()
                late = [key for key, (at, _) in self._watched.items() if at <= now]
                acts = [self._watched.pop(key)[1] for key in late]
            for act in acts:
                act()


_WATCHDOG: Final = Watchdog()


class AnswerKeeper:
    """Keeps the answers of one renewal, before anything else is done with them."""

    def __init__(self, lease: Lease, answer_seconds: float) -> None:
        self._lease = lease
        self._answer_seconds = answer_seconds
        self._guard = threading.Lock()
        self._in_file: bytes | None = None

    def keep(self, answer: Secret) -> None:
        """Keep an answer in place of an earlier one; log, and raise nothing, where that fails."""
        lease = self._lease
        sealed = seal_answer(lease.connection_id, answer)
        keep_in_file = partial(self._keep_in_file, sealed)
        with _WATCHDOG.act_after(self._answer_seconds, keep_in_file):
            is_written = write_answer(lease.connection_id, lease.version, sealed)
        if not is_written:
            keep_in_file()

    def _keep_in_file(self, sealed: bytes) -> None:
        lease = self._lease
        with self._guard:
            if self._in_file == sealed:
                return
            try:
                write_answer_file(lease.connection_id, lease.version, sealed)
            except OSError as error:
                _LOG.error(
                    "Neither the database nor VAR_DIR takes the answer for connection %s: %s.",
                    lease.connection_id,
                    error.strerror,
                    extra={"connection_id": lease.connection_id},
                )
            else:
                self._in_file = sealed

    def discard_file(self) -> None:
        """Erase the file, if there is one, because the outcome is in the database."""
        with self._guard:
            if self._in_file is not None:
                erase_answer_file(self._lease.connection_id, self._lease.version)


def recover(
    now: datetime, lease_until: datetime, emit: Emit, limits: RenewalLimits = LIMITS
) -> int:
    """Lease the interrupted renewals, `emit` them in batches, and return how many they are.

    An interrupted renewal has begun, and its lease has run out. The worker that renews its
    connection again finds in the journal how far it had come.

    Raises:
        DatabaseUnreachable: The database is away.
    """
    import_answer_files(now)
    with hold_connection():
        ids = list_interrupted_renewals(now, _MAX_RECOVERED)
        claimed = [claim(connection_id, now, lease_until) for connection_id in ids]
    leases = [lease for lease in claimed if lease is not None]
    emit_in_batches(leases, emit, limits.minimum_messages)
    if leases:
        _LOG.warning("Finishing %d renewals that were interrupted.", len(leases))
    return len(leases)


def import_answer_files(now: datetime) -> None:
    """Move the answers that processes of this machine kept in files into the journal.

    Raises:
        DatabaseUnreachable: The database is still away; what it has not taken stays in its file.
    """
    for connection_id, version, sealed in read_answer_files():
        with transaction():
            import_answer(connection_id, version, sealed, now)
        erase_answer_file(connection_id, version)
        extra = {"connection_id": connection_id}
        text = "Imported the answer that was kept for connection %s."
        _LOG.warning(text, connection_id, extra=extra)
