"""Renewals in the console: the plan as a timeline and a list, the failing ones first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.oidc_provider import OidcProvider
from tests.worker.http.signing_in import HOUSE, sign_in


def change(connection: dict[str, Any], **columns: Any) -> None:
    """Change a connection as renewals would."""
    with hold_connection():
        is_row = TAB_CONNECTIONS.id == connection["id"]
        TAB_CONNECTIONS.update(**columns).where(is_row).execute()


def test_the_plan_is_shown_by_the_hour_and_in_order(
    operator: httpx.Client, http: httpx.Client, house: OidcProvider
) -> None:
    # Given nothing, the page says what would make a plan
    assert "Nothing is planned" in operator.get("/console/renewals").text
    # Given a connection that is due within the hour, one that fails, and one that is overdue
    soon, failing, overdue = (
        sign_in(http, house, user, subject=user) for user in ("soon", "failing", "overdue")
    )
    now = utc_now()
    change(soon, renew_at=now + timedelta(minutes=30))
    change(
        failing,
        renew_at=now + timedelta(minutes=90),
        status="renewal_failing",
        reason="transient: no answer came",
        failures=2,
    )
    change(overdue, renew_at=now - timedelta(minutes=1))
    # When the plan is looked at
    page = operator.get("/console/renewals").text
    # Then the timeline counts them by the hour
    assert "Due now: 1." in page
    assert "In 0 to 1 hours: 1<" in page.replace("</title>", "<")
    assert "In 1 to 2 hours: 1, 1 failing" in page
    # And the failing one stands above the list, which is in the order of time
    places = [page.index(f">{it['subject']}</a>") for it in (failing, overdue, soon)]
    assert places == sorted(places)
    assert "no answer came" in page
    # And another provider has none
    assert "Nothing is planned" in operator.get("/console/renewals?provider=github").text
    assert "Due now: 1." in operator.get(f"/console/renewals?provider={HOUSE}").text
