"""Tests that the recipe of docs/webhooks.md works as printed, on what is really sent."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any, Final

import pytest

from actors.audit import DELIVERED_KINDS, EventKind, describe_event, record
from actors.webhooks import export_webhook_key, sign_delivery
from catfeeder.clock import utc_now
from config import ROOT
from models.db.database import hold_connection
from models.events import TAB_EVENTS

PAGE: Final = (ROOT / "docs" / "webhooks.md").read_text()

pytestmark = pytest.mark.usefixtures("tables")

ReadEvent = Callable[..., dict[str, Any]]


@pytest.fixture
def recipe() -> dict[str, Any]:
    """What the page's code defines."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/webhooks.md", "exec"), names)  # noqa: S102
    return names


@pytest.fixture
def sent() -> tuple[dict[str, str], bytes]:
    """The headers and the body of a delivery."""
    with hold_connection():
        record(EventKind.REAUTHORIZATION_REQUIRED, now=utc_now(), provider="google", reason="x")
        body = json.dumps(describe_event(TAB_EVENTS.get())).encode()
    return sign_delivery("1", body, utc_now()), body


def test_the_recipe_takes_what_is_ours(
    recipe: dict[str, Any], sent: tuple[dict[str, str], bytes]
) -> None:
    event = recipe["read_event"](*sent, export_webhook_key())

    assert event["kind"] == "reauthorization_required"
    # And what the page shows of an event has the very names of one
    shown = json.loads(re.findall(r"^(\{.*\})$", PAGE, re.MULTILINE)[0])
    assert list(shown) == list(event)


def test_the_recipe_refuses_everything_else(
    recipe: dict[str, Any], sent: tuple[dict[str, str], bytes]
) -> None:
    headers, body = sent
    read_event: ReadEvent = recipe["read_event"]
    foreign = f"whsec_{base64.b64encode(b'f' * 32).decode()}"
    late, early = time.time() + 301, time.time() - 302

    for arguments in (
        (headers, body + b" ", export_webhook_key()),
        (headers, body, foreign),
        ({**headers, "webhook-id": "2"}, body, export_webhook_key()),
        ({**headers, "webhook-timestamp": str(int(time.time()) + 9)}, body, export_webhook_key()),
        ({**headers, "webhook-timestamp": "soon"}, body, export_webhook_key()),
        ({**headers, "webhook-signature": "v1,AAAA"}, body, export_webhook_key()),
        ({**headers, "webhook-signature": "v1,é"}, body, export_webhook_key()),
        ({}, body, export_webhook_key()),
        (headers, body, export_webhook_key(), late),
        (headers, body, export_webhook_key(), early),
    ):
        with pytest.raises(recipe["NotOurs"]):
            read_event(*arguments)


def test_the_page_tells_of_every_kind_that_is_delivered() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))

    assert told == {str(kind) for kind in DELIVERED_KINDS}
