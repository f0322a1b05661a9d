"""The slots of one process: renewals leave some to jobs that a caller waits for."""

from __future__ import annotations

import pytest

from catfeeder.client import Client
from catfeeder.errors import JobFailed
from catfeeder.messages import RENEW_CONNECTION, RENEW_CONNECTIONS
from catfeeder.queue.broker import build_message
from tests.actors.renewals import connect, lease_connections, refreshes
from tests.actors.sign_ins import configure_plain
from tests.scripted_provider import ScriptedProvider
from tests.worker.conftest import StartPerformer


@pytest.mark.usefixtures("tables")
def test_a_slow_provider_keeps_no_sign_in_waiting(
    client: Client, service: Client, provider: ScriptedProvider, start: StartPerformer
) -> None:
    # Given a renewal for each of a process's two threads, of a provider that does not answer
    configure_plain(provider)
    rows = connect(provider, 2)
    gate = provider.hold("/token")
    for row in rows:
        service.broker.enqueue(
            build_message(RENEW_CONNECTIONS, {"leases": lease_connections([row])})
        )
    start("oauth", "renewals")
    gate.await_arrival()
    # When a job is enqueued that a caller waits for
    job = client.enqueue(RENEW_CONNECTION, connection_id="unknown")
    # Then it is done while the first renewal is still under way, and before the second
    with pytest.raises(JobFailed, match="no connection of that id"):
        job.result(timeout=60)
    assert len(refreshes(provider)) == 1
    gate.open()
