"""Retry-After and 5xx: whether a provider is available, and how long to back off."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import requests

from actors.errors import FailureKind
from actors.providers.errors import ProviderUnreachable
from actors.providers.http.peer import peer

_MAX_SECONDS: Final = 10 * 365 * 86400


def check_available(response: requests.Response) -> requests.Response:
    """Return an answer unless its status says that the provider is unavailable.

    Raises:
        ProviderUnreachable: The status is 429 or 5xx.
    """
    status = response.status_code
    is_rate_limited = status == requests.codes.too_many_requests
    if not is_rate_limited and status < 500:
        return response
    # Only these two say that the request was not even begun.
    is_rejected = is_rate_limited or status == requests.codes.service_unavailable
    error = ProviderUnreachable(
        f"The {peer()} answered with status {status}.",
        kind=FailureKind.RATE_LIMITED if is_rate_limited else FailureKind.TRANSIENT,
        retry_after_seconds=retry_after_seconds(response),
        is_outcome_unknown=not is_rejected,
    )
    error.status = status
    raise error


def retry_after_seconds(response: requests.Response) -> int:
    """Return the seconds of Retry-After (RFC 9110 section 10.2.3); 0 without a usable one.

    A date is compared with the answer's Date header, else with our clock. What is beyond ten years
    is cut to them: no calendar has it.
    """
    header = response.headers.get("Retry-After", "")
    if header.isascii() and header.isdigit():
        return min(int(header), _MAX_SECONDS) if len(header) < 12 else _MAX_SECONDS
    wanted = _parse_date(header)
    if wanted is None:
        return 0
    now = _parse_date(response.headers.get("Date", "")) or datetime.now(UTC)
    return min(max(math.ceil((wanted - now).total_seconds()), 0), _MAX_SECONDS)


def _parse_date(header: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
