"""Finishes renewals that were cut off when a process starts that performs renewals."""

from __future__ import annotations

import logging

from dramatiq import Broker, Middleware, Worker

from catfeeder.errors import OperatorError, QueueUnreachable
from catfeeder.messages import RENEWALS

_LOG = logging.getLogger(__name__)


class Recovering(Middleware):
    """Looks once for what an earlier process has left; each sweep does again."""

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Bring in kept answers and hand over the renewals that were cut off."""
        queues = worker.consumer_whitelist
        if queues is not None and RENEWALS not in queues:
            return
        # Who hashes passwords loads no tables.
        from actors.renewal.sweep import recover_renewals

        try:
            recover_renewals()
        except (OperatorError, QueueUnreachable) as error:
            _LOG.warning("The next sweep finishes what was cut off: %s", error)
