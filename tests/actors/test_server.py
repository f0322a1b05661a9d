"""Shutdown of the service: from a route, from the queue, and too late."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from starlette.responses import JSONResponse, Response
from starlette.types import Message

import config
from actors.server import PlainResponse, ServerManagement, shut_down
from models.db.database import hold_connection
from models.server import begin_boot, is_stopping

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def boot() -> int:
    with hold_connection():
        return begin_boot(NOW)


def is_asked_to_stop(generation: int) -> bool:
    with hold_connection():
        return is_stopping(generation)


@pytest.fixture
def management() -> Iterator[ServerManagement]:
    yield ServerManagement(error=84, success=0, debug=False)
    logging.getLogger("actors.server").setLevel(logging.NOTSET)


@pytest.mark.usefixtures("database")
class TestAlive:
    """`is_server_alive` and its other name."""

    def test_a_service_is_alive_from_its_boot_to_its_shutdown(
        self, management: ServerManagement
    ) -> None:
        for _ in range(2):
            generation = boot()
            assert management.is_server_alive() is True
            assert management.is_server_running() is True
            shut_down(generation)
            assert management.is_server_alive() is False
            assert management.is_server_running() is False


@pytest.mark.usefixtures("settings")
def test_a_program_on_a_new_database_is_alive_and_has_no_service_to_stop(
    management: ServerManagement, caplog: pytest.LogCaptureFixture
) -> None:
    assert management.is_server_alive() is True
    assert management._perform_shutdown() == 84
    assert "no service was started" in caplog.text


@pytest.mark.usefixtures("settings")
def test_a_service_without_a_database_is_not_alive_and_cannot_be_stopped(
    management: ServerManagement, environment: dict[str, str], tmp_path: Path
) -> None:
    # Given a DATABASE_URL that leads through a file
    (tmp_path / "file").touch()
    environment["DATABASE_URL"] = f"sqlite:///{tmp_path}/file/database.sqlite3"
    config.current_settings.cache_clear()
    # Then the answer is the status, and no exception
    assert management.is_server_alive() is False
    assert management._perform_shutdown() == 84


@pytest.mark.usefixtures("database")
class TestShutDown:
    """The actor behind SHUT_DOWN."""

    def test_a_message_from_before_the_last_boot_stops_nothing(self) -> None:
        older = boot()
        newer = boot()
        assert shut_down(older) == {"stopping": False}
        assert not is_asked_to_stop(newer)

    def test_a_boot_that_never_was_is_not_stopped(self) -> None:
        generation = boot()
        assert shut_down(generation + 1) == {"stopping": False}
        assert not is_asked_to_stop(generation)


class Tasks:
    """Background tasks of no framework."""

    def __init__(self) -> None:
        self.added: list[Callable[[], Any]] = []

    def add_task(self, func: Callable[..., Any], *_args: Any, **_kwargs: Any) -> None:
        self.added.append(func)


@pytest.mark.usefixtures("tables")
def test_any_background_tasks_will_do(management: ServerManagement) -> None:
    # Given background tasks that no framework knows
    generation, tasks = boot(), Tasks()
    # When the service is shut down
    answer = asyncio.run(management.shutdown(tasks))
    # Then the answer is there before anything is stopped
    assert isinstance(answer, PlainResponse)
    assert (answer.status_code, json.loads(answer.body)) == (202, {"status": "stopping"})
    assert not is_asked_to_stop(generation)
    # And the service stops when the tasks are run
    assert [task() for task in tasks.added] == [0]
    assert is_asked_to_stop(generation)


@pytest.mark.usefixtures("tables")
def test_a_route_of_fastapi_answers_first_and_stops_then(management: ServerManagement) -> None:
    # Given an app with a route that returns what shutdown does
    app = FastAPI()

    @app.post("/shutdown")
    async def shutdown(background_tasks: BackgroundTasks) -> Response:
        answer = await management.shutdown(background_tasks)
        assert isinstance(answer, JSONResponse)
        return answer

    generation = boot()
    sent: list[tuple[Any, bool]] = []

    async def send(message: Message) -> None:
        sent.append((message.get("status") or message.get("body"), is_asked_to_stop(generation)))

    # When it is called
    asyncio.run(app(_request("POST", "/shutdown"), _nothing_more, send))
    # Then status and body are sent while the service runs, and it stops after that
    assert sent == [(202, False), (b'{"status":"stopping"}', False)]
    assert is_asked_to_stop(generation)


def _request(method: str, path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }


async def _nothing_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def test_debug_logs_at_level_debug() -> None:
    ServerManagement(debug=True)
    logger = logging.getLogger("actors.server")
    assert logger.level == logging.DEBUG
    logger.setLevel(logging.NOTSET)
