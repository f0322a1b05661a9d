"""Keeping a provider's answer before anything else is done with it, database or no database."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import Final

from actors.renewal.watchdog import Overdue
from catfeeder.sealing import Secret
from models.renewal.answer_files import erase_answer_file, write_answer_file
from models.renewal.grouped_writes import write_answer
from models.renewal.journal import seal_answer
from models.renewal.leases import Lease

_LOG = logging.getLogger(__name__)
#: So long the database may take; a process that is killed after that, as it hangs, loses nothing.
_PATIENCE_SECONDS: Final = 3.0
_OVERDUE: Final = Overdue()


class AnswerKeeper:
    """Keeps the answers of one renewal: in the journal, or else in a file of this machine."""

    def __init__(self, lease: Lease) -> None:
        """Take the lease under which the provider is asked."""
        self._lease = lease
        self._guard = threading.Lock()
        self._in_file: bytes | None = None

    def keep(self, answer: Secret) -> None:
        """Keep an answer; the latest counts. Never raises: the answer is still in our hands."""
        lease = self._lease
        sealed = seal_answer(lease.connection_id, answer)
        in_file = partial(self._keep_in_file, sealed)
        with _OVERDUE.after(_PATIENCE_SECONDS, in_file):
            is_written = write_answer(lease.connection_id, lease.version, sealed)
        if not is_written:
            in_file()

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
                )
            else:
                self._in_file = sealed

    def let_go(self) -> None:
        """Forget the file: what came of the answer is in the database."""
        with self._guard:
            if self._in_file is not None:
                erase_answer_file(self._lease.connection_id, self._lease.version)
