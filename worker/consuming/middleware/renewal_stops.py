"""Lets renewals know that their process stops, so that none is begun that would be cut off."""

from __future__ import annotations

from dramatiq import Broker, Middleware, Worker

from catfeeder.messages import RENEWALS


class Shifts(Middleware):
    """Ends each batch of renewals with the connection in hand when the worker stops."""

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Tell those at work."""
        if _performs_renewals(worker):
            from actors.renewal.batches import request_stop

            request_stop()

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Let them take their time; whatever worked in this process before has stopped."""
        if _performs_renewals(worker):
            from actors.renewal.batches import clear_stop_request

            clear_stop_request()


def _performs_renewals(worker: Worker) -> bool:
    # Who hashes passwords loads nothing of it.
    queues = worker.consumer_whitelist
    return queues is None or RENEWALS in queues
