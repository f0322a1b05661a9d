"""Discovery gate: an issuer is asked once at a time, and left alone where it did not answer.

Anyone may begin a sign-in. Without the gate, each beginning with an issuer that hangs would hold a
thread of a worker until its request times out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from actors.providers.errors import ProviderUnavailable, ProviderUnreachable

#: How long this process does not ask an issuer again whose answer did not come.
COOL_DOWN_SECONDS: Final = 15.0
_lock: Final = threading.Lock()
#: By issuer: from when on it may be asked again, by the monotonic clock.
_closed_until: Final[dict[str, float]] = {}


@contextmanager
def ask_alone(issuer: str, seconds: float) -> Iterator[None]:
    """Hold the right to ask an issuer, for `seconds` at most; no answer begins its cool-down.

    Raises:
        ProviderUnavailable: It is being asked, or it did not answer a moment ago.
    """
    now = time.monotonic()
    with _lock:
        closed_until = _closed_until.get(issuer, 0.0)
        if closed_until > now:
            raise ProviderUnavailable(seconds=closed_until - now)
        _closed_until[issuer] = now + seconds
    try:
        yield
    except ProviderUnreachable:
        with _lock:
            _closed_until[issuer] = time.monotonic() + COOL_DOWN_SECONDS
        raise
    except BaseException:
        forget_failures(issuer)
        raise
    forget_failures(issuer)


def forget_failures(issuer: str | None = None) -> None:
    """Let an issuer be asked again; all of them by default."""
    with _lock:
        if issuer is None:
            _closed_until.clear()
        else:
            _closed_until.pop(issuer, None)
