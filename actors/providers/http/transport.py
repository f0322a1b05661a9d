"""Transport adapter: guarded addresses, bounded time and size, and errors translated to ours."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from actors.providers.errors import AddressForbidden, ProviderMisbehaved, ProviderUnreachable
from actors.providers.http.addresses import check_url
from actors.providers.http.causes import describe_cause
from actors.providers.http.peer import peer
from actors.providers.http.pools import GuardedHTTPPool, GuardedHTTPSPool
from actors.providers.http.quiet_logs import silence_http_logs
from actors.providers.http.tls import build_context, trusted_bundles
from actors.telemetry.tracing import annotate
from config import current_settings, is_allowed

USER_AGENT: Final = "cat-feeder-auth-worker"
_CHUNK_BYTES: Final = 16384
_TUNNEL_STATUS: Final = re.compile("Tunnel connection failed: ([0-9]{3})")


#: Seconds to connect and to read, where the requests of `[OAuth]` have others.
_LIMITS: Final[ContextVar[tuple[float, float] | None]] = ContextVar("limits", default=None)


@contextmanager
def limit_seconds(seconds: float) -> Iterator[None]:
    """Give each request of the block so long to connect, and as long again to be answered."""
    token = _LIMITS.set((seconds, seconds))
    try:
        yield
    finally:
        _LIMITS.reset(token)


#: How many pools are remembered by URL, and how long: one in use is to count as recently used.
_MAX_FOUND: Final = 128
_FOUND_SECONDS: Final = 1.0
_POOL_CLASSES: Final = {"http": GuardedHTTPPool, "https": GuardedHTTPSPool}


class GuardedAdapter(HTTPAdapter):
    """Sends a request under the guard and reads the whole answer within its bounds."""

    def __init__(self, context: ssl.SSLContext, **options: Any) -> None:
        self._context = context
        self._found: dict[tuple[str, str | None], tuple[Any, str, float]] = {}
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make pools whose connections check the address first."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOL_CLASSES

    def proxy_manager_for(self, proxy: str, **_kwargs: Any) -> Any:
        """Return the manager of pools that go through a proxy; they check the address as well."""
        options = {"ssl_context": self._context, "proxy_ssl_context": self._context}
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOL_CLASSES
        return manager

    def cert_verify(self, conn: Any, *_args: Any, **_kwargs: Any) -> None:
        """Leave trust to the shared context, which has read the authorities once."""
        conn.cert_reqs = "CERT_REQUIRED"

    def find_pool(self, url: str) -> tuple[Any, str]:
        """Return the pool for a URL, and the URL's path or what a proxy gets in its place.

        Finding one takes 40 µs of the 1000 µs of a whole renewal, so it is kept for a moment.
        """
        proxies = proxies_for(url)
        key = url, proxies.get("https")
        pool, path, until = self._found.get(key, (None, "", 0.0))
        now = time.monotonic()
        if now > until:
            target = requests.PreparedRequest()
            target.prepare_url(url, None)
            pool = self.get_connection_with_tls_context(target, verify=True, proxies=proxies)
            self.cert_verify(pool)
            path = self.request_url(target, proxies)
            if len(self._found) >= _MAX_FOUND:
                self._found.clear()
            self._found[key] = pool, path, now + _FOUND_SECONDS
        return pool, path

    def close(self) -> None:
        """Close all connections; the next requests make new ones."""
        self._found.clear()
        super().close()

    def send(self, request: requests.PreparedRequest, **_kwargs: Any) -> requests.Response:  # type: ignore[override]
        """Send and return the answer with its body read.

        Raises:
            AddressForbidden: The URL leads where it must not.
            ProviderUnreachable: No answer came in time.
            ProviderMisbehaved: The answer is a redirect, too large or broken.
        """
        oauth = current_settings().oauth
        check_url(str(request.url), current_settings().allowed_private_hosts)
        limits = _LIMITS.get() or (oauth.connect_timeout_seconds, oauth.read_timeout_seconds)
        with translate_http_errors():
            proxies = proxies_for(str(request.url))
            response = super().send(
                request, stream=True, timeout=limits, verify=True, proxies=proxies
            )
            status = response.status_code
            annotate(
                {"http.request.method": request.method or "", "http.response.status_code": status}
            )
            with response:
                response._content = read_bounded_body(response.iter_content(_CHUNK_BYTES))
        # Else `response.text` guesses it, by a header or by statistics.
        response.encoding = "utf-8"
        check_no_redirect(response)
        return response


@contextmanager
def translate_http_errors() -> Iterator[None]:
    """Turn what requests and urllib3 raise into our errors, without a word of the request.

    What those libraries log of the block is dropped as well.

    Raises:
        AddressForbidden: The URL cannot be called.
        ProviderMisbehaved: The answer cannot be decoded.
        ProviderUnreachable: There was no answer, or it broke off.
    """
    try:
        with silence_http_logs():
            yield
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
    ):
        raise AddressForbidden from None
    except (
        requests.exceptions.ContentDecodingError,
        requests.exceptions.InvalidHeader,
        urllib3.exceptions.DecodeError,
        urllib3.exceptions.InvalidHeader,
    ):
        raise ProviderMisbehaved(f"The {peer()}'s answer cannot be decoded.") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise ProviderUnreachable(
            _describe(error), is_outcome_unknown=not _is_unsent(error)
        ) from None


def _describe(error: Exception) -> str:
    """Return a sentence without a word of the request or of the proxy's credentials."""
    reason = _reason(error)
    if not isinstance(reason, urllib3.exceptions.ProxyError):
        return f"The {peer()} did not answer: {describe_cause(error)}."
    status = _TUNNEL_STATUS.match(str(reason.original_error))
    cause = f"status {status[1]}" if status else describe_cause(reason.original_error)
    return f"The proxy of OAUTH_PROXY_URL did not connect to the {peer()}: {cause}."


def _is_unsent(error: Exception) -> bool:
    """Return whether a request failed before its first byte was sent, so that it had no effect."""
    reason = _reason(error)
    if isinstance(reason, urllib3.exceptions.ProxyError):
        return True
    if isinstance(reason, urllib3.exceptions.SSLError):
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(
        reason, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    )


def _reason(error: Exception) -> object:
    """Return the first error of urllib3: requests wraps it, and urllib3 wraps it once more."""
    if isinstance(error, urllib3.exceptions.HTTPError):
        return error
    cause = error.args[0] if error.args else None
    return getattr(cause, "reason", cause)


def read_bounded_body(chunks: Iterable[bytes]) -> bytes:
    """Join the chunks of a body, measured as unpacked.

    Raises:
        ProviderMisbehaved: It is larger than `maximum_answer_bytes`.
    """
    maximum_bytes = current_settings().oauth.maximum_answer_bytes
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > maximum_bytes:
            raise ProviderMisbehaved(f"The {peer()}'s answer is larger than {maximum_bytes} bytes.")
    return bytes(body)


def check_no_redirect(response: requests.Response) -> None:
    """Raise ProviderMisbehaved for a redirect: a token must not follow it to another host."""
    if response.is_redirect:
        raise ProviderMisbehaved(f"The {peer()} answered with a redirect, which is not followed.")


def proxies_for(url: str) -> dict[str, str]:
    """Return the proxy of a request to this URL, as requests wants it; none by default.

    The host processes' own variables for proxies count for nothing: a proxy reads tokens of
    providers without TLS, and sees which providers there are.
    """
    settings = current_settings()
    if settings.proxy_url is None:
        return {}
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if is_allowed(parts.hostname or "", port, settings.unproxied_hosts):
        return {}
    return {"http": settings.proxy_url, "https": settings.proxy_url}


def shared_adapter() -> GuardedAdapter:
    """Return the adapter of this process: its pools keep the connections to each provider alive."""
    return _adapter(trusted_bundles())


@lru_cache(maxsize=8)
def _adapter(bundles: tuple[str, ...]) -> GuardedAdapter:
    # The number of providers, and of threads per provider. Connections beyond are not kept alive.
    return GuardedAdapter(build_context(bundles), pool_connections=128, pool_maxsize=128)


def guard_session(session: requests.Session) -> None:
    """Route every request of a session through the shared adapter.

    Never close such a session: that would close the connections of the whole process.
    """
    session.trust_env = False
    session.headers["User-Agent"] = USER_AGENT
    session.headers["Accept"] = "application/json"
    for scheme in ("http://", "https://"):
        session.mount(scheme, shared_adapter())
