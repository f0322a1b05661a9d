"""Renewals around a worker's life: a start finishes interrupted ones, a stop interrupts none."""

from __future__ import annotations

import logging

from dramatiq import Broker, Middleware, Worker

from actors.stopping import clear_stop_request, request_stop
from catfeeder.errors import OperatorError, QueueUnreachable
from catfeeder.messages import RENEWALS

_LOG = logging.getLogger(__name__)


class RenewalLifecycle(Middleware):
    """Recovers interrupted renewals at the start, and ends long messages early at a stop.

    A process that does not consume renewals imports nothing of them.
    """

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Reset the stop request of an earlier worker of this process."""
        clear_stop_request()

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Store kept answers and enqueue interrupted renewals, once; each sweep does it again."""
        if not _consumes_renewals(worker):
            return
        from actors.renewal.sweep import recover_renewals

        try:
            recover_renewals()
        except (OperatorError, QueueUnreachable) as error:
            _LOG.warning("The next sweep finishes interrupted renewals: %s", error)

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Request each batch to stop after the connection, event or grant in hand."""
        request_stop()


def _consumes_renewals(worker: Worker) -> bool:
    queues = worker.consumer_whitelist
    return queues is None or RENEWALS in queues
