"""Renewal in this process: for a program without a queue, and so without a worker."""

from __future__ import annotations

import atexit
import functools
import logging
from datetime import datetime

from actors.renewal.kept_answers import recover
from actors.renewal.late import finish_late_answers
from actors.renewal.leased import renew_leased
from actors.renewal.limits import lease_end
from actors.renewal.sweep import sweep
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from models.renewal.leases import Lease

_LOG = logging.getLogger(__name__)


def renew_due_connections() -> None:
    """Finish the renewals that were interrupted, then renew what is due, one after the other.

    A renewal that fails is logged, and the others go on. Processes that do this at the same time
    share the work by leases, with each other and with the workers of a service.

    Raises:
        DatabaseUnreachable: The database is away.
    """
    _finish_at_exit()
    now = utc_now()
    recover(now, lease_end(now), _renew_each)
    sweep(now, _renew_each)


@functools.cache
def _finish_at_exit() -> None:
    """Let the program end after its late answers; once, however often it renews."""
    atexit.register(finish_late_answers)


def _renew_each(leases: list[Lease]) -> None:
    for lease in leases:
        now: datetime = utc_now()
        try:
            renew_leased(lease, now)
        except CatFeederError as error:
            extra = {"connection_id": lease.connection_id}
            text = "Renewing connection %s failed: %s"
            _LOG.error(text, lease.connection_id, error, extra=extra)
