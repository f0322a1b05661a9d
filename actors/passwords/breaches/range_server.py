"""Range server (k-anonymity): is sent five digits of a digest, and answers all that begin so."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final
from urllib.parse import parse_qs, urlsplit

from actors.passwords.breaches.digests import PREFIX_DIGITS, Algorithm, Hit, find_in_range
from actors.passwords.errors import BreachListInvalid, BreachListUnavailable
from config import PasswordsSettings

_LOG = logging.getLogger(__name__)
#: After a failure the server is not asked for so long: each wait would keep a core from hashing.
_PAUSE_SECONDS: Final = 10.0
#: Servers that know it answer as many lines for every prefix.
_HEADERS: Final = {"Add-Padding": "true", "Accept": "text/plain"}


class RangeServer:
    """The server of `breach_range_url`, and whether it has failed a moment ago."""

    def __init__(self) -> None:
        self._failed_at = -_PAUSE_SECONDS
        self._lock = threading.Lock()

    def find(
        self, digest: bytes, settings: PasswordsSettings, now: float | None = None
    ) -> Hit | None:
        """Return what the server says of a digest, or None; `now` is of the monotonic clock.

        Raises:
            BreachListUnavailable: It does not answer with hashes, or has failed a moment ago.
        """
        now = time.monotonic() if now is None else now
        with self._lock:
            if now - self._failed_at < _PAUSE_SECONDS:
                raise BreachListUnavailable
        try:
            return _ask(digest, settings)
        except BreachListUnavailable:
            with self._lock:
                self._failed_at = now
            raise

    def forget_failure(self) -> None:
        """Ask the server again at once."""
        with self._lock:
            self._failed_at = -_PAUSE_SECONDS


def choose_algorithm(url: str) -> Algorithm:
    """Return what a server is asked for: NTLM where its URL has `mode=ntlm`, else SHA-1."""
    is_ntlm = parse_qs(urlsplit(url).query).get("mode") == ["ntlm"]
    return Algorithm.NTLM if is_ntlm else Algorithm.SHA1


def _ask(digest: bytes, settings: PasswordsSettings) -> Hit | None:
    lines = _fetch(digest.hex().upper()[:PREFIX_DIGITS], settings)
    try:
        return find_in_range(lines, digest, choose_algorithm(settings.breach_range_url))
    except BreachListInvalid as error:
        # A page of a proxy, say: without a look at it, each password would be one that no list has.
        _LOG.warning("The answer of breach_range_url %s.", error.fault)
        raise BreachListUnavailable from None


def _fetch(prefix: str, settings: PasswordsSettings) -> bytes:
    # Loaded where a server is named: it takes 10 MB.
    from actors.errors import AuthError
    from actors.providers.http.peer import call_peer
    from actors.providers.http.requests import send
    from actors.providers.http.transport import limit_seconds

    url = settings.breach_range_url.replace("{prefix}", prefix)
    try:
        with call_peer("range server"), limit_seconds(settings.breach_timeout_seconds):
            response = send("GET", url, headers=_HEADERS)
    except AuthError as error:
        _LOG.warning("The breach list cannot be asked: %s", error)
        raise BreachListUnavailable from None
    if response.status_code != 200:
        _LOG.warning("The range server of breach_range_url answered %s.", response.status_code)
        raise BreachListUnavailable
    return response.content


#: That of this process.
RANGE_SERVER: Final = RangeServer()
