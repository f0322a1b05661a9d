"""Request ids: one from the header of an answer to the events and the log of a worker."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.signing_in import consented
from tests.worker.http.visits import sign_in as visit
from worker.http.asgi.request_ids import HEADER

_ID = "shop-1/7f3a.b"


def test_a_request_s_id_is_in_its_answer_and_in_what_the_worker_writes(
    http: httpx.Client, house: OidcProvider
) -> None:
    # Given a sign-in that comes back with a request of a known id
    answer = consented(http, house, "alice")
    finished = http.get("/v1/oauth/callback", params=answer, headers={HEADER: _ID})
    assert finished.headers[HEADER] == _ID

    # Then the event that the worker wrote names it
    [event] = http.get("/v1/events", params={"kind": "exchanged"}).json()["items"]
    assert event["request_id"] == _ID
    # And so does the console's page of events
    with httpx.Client(base_url=http.base_url, follow_redirects=True) as browser:
        visit(browser)
        assert f"request <code>{_ID}</code>" in browser.get("/console/events").text


@pytest.mark.parametrize(
    "sent",
    ["", "with space", "x" * 65, "new\tline", '"quoted"', "-first", "é"],
    ids=["empty", "space", "long", "control", "quotes", "dash", "unicode"],
)
def test_an_id_that_is_not_sane_is_replaced(anonymous: httpx.Client, sent: str) -> None:
    answer = anonymous.get("/v1/jobs/none", headers=[(HEADER.encode(), sent.encode())])

    own_id = answer.headers[HEADER]
    assert re.fullmatch("[0-9a-f]{32}", own_id)
    assert assert_problem(answer, 401, "key_required")["request_id"] == own_id
    # And another request has another one
    assert anonymous.get("/health").headers[HEADER] != own_id
