"""Renewals and a stop: the process finishes the current renewal, and begins no other."""

from __future__ import annotations

import threading

import dramatiq

from actors.renewal.renew import renew_connections
from catfeeder.messages import RENEW_CONNECTIONS
from catfeeder.queue.broker import build_message
from models.db.database import hold_connection
from models.renewal.journal import TAB_ATTEMPTS
from tests.actors.renewals import connect, lease_connections, refreshes
from tests.actors.sign_ins import configure_plain, reread
from tests.conftest import StartWorker
from tests.scripted_provider import ScriptedProvider
from worker.process.perform import stop_worker


def test_a_worker_that_stops_cuts_off_no_renewal(
    broker: dramatiq.Broker, start_worker: StartWorker, provider: ScriptedProvider
) -> None:
    # Given a batch whose first renewal is under way
    configure_plain(provider)
    rows = connect(provider, 3)
    gate = provider.hold("/token", times=1)
    worker = start_worker(threads=1)
    broker.enqueue(build_message(RENEW_CONNECTIONS, {"leases": lease_connections(rows)}))
    gate.await_arrival()

    # When its process begins to stop, and the provider answers after that
    is_stopping = threading.Event()
    emit_before = broker.emit_before

    def emit(signal: str, *arguments: object, **options: object) -> None:
        emit_before(signal, *arguments, **options)
        if signal == "worker_shutdown":
            is_stopping.set()

    broker.emit_before = emit  # type: ignore[method-assign]
    stopping = threading.Thread(target=stop_worker, args=(worker, 60))
    stopping.start()
    assert is_stopping.wait(60)
    gate.open()
    stopping.join()

    # Then what it brought is stored, and no other was begun
    assert [reread(row).version for row in rows] == [2, 1, 1]
    assert len(refreshes(provider)) == 1
    with hold_connection():
        assert TAB_ATTEMPTS.select().count() == 0

    # And the next worker performs whole batches again
    start_worker(threads=1)
    renew_connections(lease_connections(connect(provider, 3)))
    assert len(refreshes(provider)) == 4
