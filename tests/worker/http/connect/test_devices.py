"""Device codes on the connect page: shown once, and followed until the user has agreed."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.provider.devices import DEVICE_CODE
from tests.scripted_provider import ScriptedProvider
from tests.worker.http.connect.conftest import RETURN_TO, make_link, open_link
from tests.worker.http.visits import act

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def form(
    http: httpx.Client, shop: httpx.Client, browser: httpx.Client, television: ScriptedProvider
) -> httpx.Response:
    """The form of a provider whose users enter a code."""
    known = {"issuer": television.issuer, **television.credentials(), "grant_types": [DEVICE_CODE]}
    assert http.put("/v1/providers/house", json=known).status_code == 201
    page = open_link(browser, make_link(shop, return_to=RETURN_TO))
    return browser.get(f"{page.url.path}/providers/house")


@pytest.mark.usefixtures("schedule")
@pytest.mark.parametrize(
    "end",
    [("approved", "Connected."), ("denied", "This code did not succeed")],
    ids=["approved", "denied"],
)
def test_a_code_is_shown_and_followed_to_its_end(
    form: httpx.Response,
    shop: httpx.Client,
    browser: httpx.Client,
    television: ScriptedProvider,
    end: tuple[str, str],
) -> None:
    decision, words = end
    # When the page asks for one, then it shows the code and the provider's page
    shown = act(browser, form, f"{form.url.path}/device")
    device = television.devices.latest
    assert f">{device.user_code}</strong>" in shown.text
    assert "/activate" in shown.text
    assert "Waiting for you to agree" in shown.text
    # And when the user has decided, then the page is told, and is followed no further
    television.devices.decide(device.user_code, decision)
    [path] = re.findall('data-live="([^"]+)"', shown.text)
    followed = browser.get(path).text
    assert words in followed
    assert "data-ended" in followed
    items = shop.get("/v1/connections", params={"status": "active"}).json()["items"]
    assert [one["subject"] for one in items] == (["user-1"] if decision == "approved" else [])
    # And one that came to nothing is no account of the page
    assert "Needs reconnecting" not in browser.get(form.url.path.partition("/providers")[0]).text
