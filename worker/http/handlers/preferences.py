"""Prefer header (RFC 7240): `wait=N`, the seconds that a caller waits for its job."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import Depends, Header, Request

#: Proxies and clients commonly give up after a minute; half of that leaves room.
MAXIMUM_WAIT_SECONDS: Final = 30
_WAIT: Final = re.compile(r'\s*wait\s*=\s*"?([0-9]{1,100})"?\s*', re.IGNORECASE | re.ASCII)


def parse_preferred_wait(prefer_headers: Iterable[str]) -> int | None:
    """Return the seconds of the first `wait`, at most the maximum; None where there is none.

    What cannot be understood is ignored, as section 2 of the RFC demands.
    """
    for preference in re.split("[,;]", ",".join(prefer_headers)):
        found = _WAIT.fullmatch(preference)
        if found:
            return min(int(found[1]), MAXIMUM_WAIT_SECONDS)
    return None


async def _get_preferred_wait(
    request: Request,
    _shown: Annotated[
        str | None,
        Header(
            alias="Prefer",
            description="`wait=N` (RFC 7240): answer when the job has ended, N <= 30 seconds.",
            examples=["wait=10"],
        ),
    ] = None,
) -> int | None:
    # The header may be sent in several lines, of which FastAPI would pass on one.
    return parse_preferred_wait(request.headers.getlist("prefer"))


#: How many seconds the caller prefers to wait; None without a preference.
PreferredWait = Annotated[int | None, Depends(_get_preferred_wait)]
