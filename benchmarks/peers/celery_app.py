"""Peer: Celery, as its guide sets it up."""

from __future__ import annotations

from celery import Celery

from benchmarks.peers.work import REDIS_SOCKET, check

app = Celery(
    broker=f"redis+socket://{REDIS_SOCKET}",
    backend=f"redis+socket://{REDIS_SOCKET}",
    broker_connection_retry_on_startup=True,
)
check_password = app.task(name="check_password")(check)


def ask(password: str, password_hash: str) -> object:
    """Send the work and wait for its result."""
    return check_password.delay(password, password_hash).get(timeout=10)
