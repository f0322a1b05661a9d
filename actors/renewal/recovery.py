"""Finishing renewals that were cut off, and bringing in answers that had to be kept in files."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from actors.renewal.batches import Emit, hand_over
from models.db.database import hold_connection, transaction
from models.renewal.answer_files import erase_answer_file, read_answer_files
from models.renewal.journal import import_answer, list_interrupted_renewals
from models.renewal.leases import claim

_LOG = logging.getLogger(__name__)
#: The next sweep goes on where this one ends.
_MOST_AT_ONCE: Final = 1000


def recover(now: datetime, lease_until: datetime, emit: Emit) -> int:
    """Lease the renewals that were cut off and hand them over batch by batch; return how many.

    A renewal that was cut off is one that began and whose lease has run out. Whoever renews such a
    connection finds in the journal how far it had come.

    Raises:
        DatabaseUnreachable: The database is away.
    """
    bring_in_answers(now)
    with hold_connection():
        ids = list_interrupted_renewals(now, _MOST_AT_ONCE)
        claimed = [claim(connection_id, now, lease_until) for connection_id in ids]
    leases = [lease for lease in claimed if lease is not None]
    hand_over(leases, emit)
    if leases:
        _LOG.warning("Finishing %d renewals that were cut off.", len(leases))
    return len(leases)


def bring_in_answers(now: datetime) -> None:
    """Write into the journal what processes of this machine had to keep in files.

    Raises:
        DatabaseUnreachable: The database is still away; what it has not taken stays where it is.
    """
    for connection_id, version, sealed in read_answer_files():
        with transaction():
            import_answer(connection_id, version, sealed, now)
        erase_answer_file(connection_id, version)
        _LOG.warning("Brought in the answer that was kept for connection %s.", connection_id)
