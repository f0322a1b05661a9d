"""Whether a provider can answer at the moment, and when it wants to be asked again."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests

from actors.errors import FailureKind, ProviderUnreachable


def check_available(response: requests.Response) -> requests.Response:
    """Return an answer unless it says that the provider cannot answer at the moment.

    Raises:
        ProviderUnreachable: The status is 429 or 5xx.
    """
    if response.status_code == requests.codes.too_many_requests or response.status_code >= 500:
        is_our_rate = response.status_code == requests.codes.too_many_requests
        is_turned_away = is_our_rate or response.status_code == requests.codes.service_unavailable
        raise ProviderUnreachable(
            f"The provider answered with status {response.status_code}.",
            kind=FailureKind.RATE_LIMITED if is_our_rate else FailureKind.TRANSIENT,
            retry_after_seconds=retry_after_seconds(response),
            is_outcome_unknown=not is_turned_away,
        )
    return response


def retry_after_seconds(response: requests.Response) -> int:
    """Return the seconds of Retry-After (RFC 9110 section 10.2.3); 0 where it tells nothing.

    A date is held against the provider's own clock, where it shows that.
    """
    header = response.headers.get("Retry-After", "")
    if header.isascii() and header.isdigit() and len(header) < 9:
        return int(header)
    wanted = _date(header)
    if wanted is None:
        return 0
    now = _date(response.headers.get("Date", "")) or datetime.now(UTC)
    return max(math.ceil((wanted - now).total_seconds()), 0)


def _date(header: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
