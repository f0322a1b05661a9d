"""Names of apps: read seldom, and known while the database is away."""

from __future__ import annotations

import pytest

from actors.apps.registration import change_app, create_app
from actors.apps.settings import forget_app_settings
from catfeeder.clock import utc_now
from catfeeder.queue.requester import acting_app, app_name
from models.db.errors import DatabaseUnreachable
from tests.models.statements import record_statements
from worker.http.auth.app_names import AppNames


@pytest.mark.anyio
@pytest.mark.usefixtures("tables")
async def test_a_name_is_read_every_few_seconds_and_outlives_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given an app whose name a process has read
    now = [0.0]
    create_app("shop", "The shop", {}, utc_now())
    names = AppNames(lambda: now[0])

    async def note(seconds: float) -> str | None:
        now[0] = seconds
        app_name.set(None)
        await names.note()
        return app_name.get()

    acting_app.set("shop")
    assert await note(0) == "The shop"
    # When the app gets another name, then that counts after seconds, without a statement until then
    change_app("shop", {"name": "The market"}, utc_now())
    with record_statements() as statements:
        assert await note(4.9) == "The shop"
    assert statements == []
    assert await note(5) == "The market"

    # And while the database is away, the last name does; of an app that is unknown, none
    def unreachable(_: str) -> None:
        raise DatabaseUnreachable

    acting_app.set("blog")
    assert await note(5) is None
    monkeypatch.setattr("worker.http.auth.app_names.read_app_name", unreachable)
    forget_app_settings()
    acting_app.set("shop")
    assert await note(11) == "The market"
