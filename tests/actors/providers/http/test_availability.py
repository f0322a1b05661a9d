"""Tests of Retry-After and server errors: when a provider is unavailable, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from actors.providers.errors import ProviderUnreachable
from actors.providers.http.availability import retry_after_seconds
from actors.providers.http.requests import get_json
from tests.provider.answers import Answer, json_answer
from tests.scripted_provider import ScriptedProvider

TEN_YEARS = 10 * 365 * 86400
pytestmark = pytest.mark.usefixtures("settings")


@pytest.mark.parametrize("status", [500, 502, 503, 599])
def test_a_server_error_means_unreachable(
    status: int, provider: ScriptedProvider, url: str
) -> None:
    provider.answer("/somewhere", Answer(status))

    with pytest.raises(ProviderUnreachable, match=str(status)) as failure:
        get_json(url)
    assert not failure.value.permanent
    assert failure.value.retry_after_seconds == 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("-1", 0),
        ("1.5", 0),
        ("soon", 0),
        ("\u00b2", 0),
        # Beyond any calendar
        ("9" * 11, TEN_YEARS),
        ("9" * 5000, TEN_YEARS),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 -99999999999999", 0),
        ("Fri, 31 Dec 9999 23:59:59 -1200", TEN_YEARS),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
    ],
)
def test_retry_after_may_be_seconds(
    header: str, seconds: int, provider: ScriptedProvider, url: str
) -> None:
    provider.answer("/somewhere", json_answer({}, 429, Retry_After=header))

    with pytest.raises(ProviderUnreachable) as failure:
        get_json(url)
    assert failure.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        # By the provider's clock, which may be years away from ours
        ("Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:58:00 GMT", 119),
        ("Fri, 31 Dec 1999 23:59:59 GMT", "Sat, 01 Jan 2000 00:00:00 GMT", 0),
        ("Friday, 31-Dec-99 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:00 GMT", 59),
        ("Fri, 31 Dec 1999 23:59:59 -0000", "Fri, 31 Dec 1999 23:59:00 GMT", 59),
        ("Fri, 31 Dec 1999 25:61:61 GMT", "Fri, 31 Dec 1999 23:59:00 GMT", 0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 99999999999999999999 23:58:00 GMT", 0),
    ],
)
def test_retry_after_may_be_a_date(header: str, date: str, seconds: int) -> None:
    response = requests.Response()
    response.headers.update({"Retry-After": header, "Date": date})

    assert retry_after_seconds(response) == seconds


def test_a_retry_after_date_is_compared_with_our_clock_without_a_date_header() -> None:
    response = requests.Response()
    response.headers["Retry-After"] = format_datetime(datetime.now(UTC) + timedelta(seconds=90))

    assert 80 <= retry_after_seconds(response) <= 90
