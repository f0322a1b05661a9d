"""Starts: the first healthy answer means that all is ready, and a stop right after it is heard."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from catfeeder.messages import QUEUES
from tests.conftest import ADMIN_API_KEY as KEY
from tests.stack.directory import ServiceDirectory

pytestmark = pytest.mark.timeout(200)


def first_healthy(url: str) -> dict[str, Any]:
    """Return the first answer of /health that is 200."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            answer = httpx.get(f"{url}/health")
        except httpx.TransportError:
            continue
        if answer.status_code == 200:
            health: dict[str, Any] = answer.json()
            return health
        assert answer.json()["status"] in ("starting", "unhealthy")
    raise AssertionError("the service did not become healthy")


def test_a_shutdown_right_after_the_first_healthy_answer_is_heard(tmp_path: Path) -> None:
    directory = ServiceDirectory(tmp_path)
    url = f"http://127.0.0.1:{directory.port}"
    try:
        # Given a service that has just become healthy
        service = directory.run(ADMIN_API_KEY=KEY)
        health = first_healthy(url)

        # Then each line of the Procfile is ready
        assert health["status"] == "healthy"
        assert all(health["workers"][queue] for queue in QUEUES)

        # And a shutdown ends it well, and soon
        asked_at = time.monotonic()
        headers = {"Authorization": f"Bearer {KEY}"}
        assert httpx.post(f"{url}/v1/server/shutdown", headers=headers).status_code == 202
        assert service.end() == 0
        assert time.monotonic() - asked_at < 30
        assert directory.pids() == []
    finally:
        directory.end_all()
