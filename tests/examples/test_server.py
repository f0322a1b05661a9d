"""The documentation's examples of the server: a shutdown endpoint and a health check."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import JSONResponse
from starlette.responses import Response

from actors.server import ServerManagement
from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.server import begin_boot, is_stopping
from tests.examples.calls import call


@pytest.fixture
def generation(tables: object) -> int:  # noqa: ARG001
    """The number of the boot of a service that runs."""
    with hold_connection():
        return begin_boot(utc_now())


def test_example_5_a_shutdown_endpoint(generation: int) -> None:
    server_manager = ServerManagement(error=84, success=0, debug=False)
    app = FastAPI()

    @app.post("/shutdown", response_model=None)
    async def shutdown_server(background_tasks: BackgroundTasks) -> Any:
        return await server_manager.shutdown(background_tasks)

    answer = call(app, "POST", "/shutdown")

    assert answer.status_code == 202
    assert answer.json() == {"status": "stopping"}
    with hold_connection():
        assert is_stopping(generation)


@pytest.mark.usefixtures("generation")
def test_example_6_a_health_check() -> None:
    server_manager = ServerManagement(error=84, success=0, debug=False)
    app = FastAPI()

    @app.get("/health")
    def health_check() -> Response:
        if server_manager.is_server_alive():
            return JSONResponse({"status": "healthy"})
        return JSONResponse({"status": "stopping"}, status_code=503)

    assert call(app, "GET", "/health").json() == {"status": "healthy"}
    assert server_manager.is_server_running() is True
    server_manager._perform_shutdown()
    assert call(app, "GET", "/health").status_code == 503
    assert server_manager.is_server_running() is False
