"""HTTP to providers: kept-alive connections, guarded addresses, and bounds on time and size."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from actors.errors import ProviderMisbehaved, ProviderUnreachable
from actors.providers.addresses import check_url, permitted_address
from config import current_settings

USER_AGENT: Final = "cat-feeder-auth-worker"
#: A provider that drips its answer byte by byte is cut off after this many read timeouts in all.
_TOTAL_TIMEOUTS: Final = 2
_CHUNK_BYTES: Final = 16384

# oauthlib refuses http by itself and takes narrower scopes for an error. `check_url` decides about
# http, and what was granted is stored and told instead.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"
# At level DEBUG these print codes, tokens and client secrets, whatever our own level is.
for _name in ("requests_oauthlib", "oauthlib", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class _GuardedHTTPConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        with _resolved(self):
            return super()._new_conn()


class _GuardedHTTPSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        with _resolved(self):
            return super()._new_conn()


@contextmanager
def _resolved(connection: Any) -> Iterator[None]:
    """Connect to a checked address while TLS and the Host header keep the name."""
    name = connection._dns_host
    allowed = current_settings().allowed_private_hosts
    connection._dns_host = permitted_address(name, connection.port, allowed)
    try:
        yield
    finally:
        connection._dns_host = name


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTPConnection


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPSConnection


class GuardedAdapter(HTTPAdapter):
    """Sends a request under the guard and reads the whole answer within its bounds."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make pools whose connections look at the address first."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _GuardedHTTPPool,
            "https": _GuardedHTTPSPool,
        }

    def send(self, request: requests.PreparedRequest, **_kwargs: Any) -> requests.Response:  # type: ignore[override]
        """Send and return the answer with its body read.

        Raises:
            AddressForbidden: The URL leads where it must not.
            ProviderUnreachable: No answer came in time.
            ProviderMisbehaved: The answer is a redirect, too large or broken.
        """
        oauth = current_settings().oauth
        check_url(str(request.url), current_settings().allowed_private_hosts)
        limits = (oauth.connect_timeout_seconds, oauth.read_timeout_seconds)
        try:
            response = super().send(request, stream=True, timeout=limits, verify=True)
            with response:
                _read(response, oauth.maximum_answer_bytes, _TOTAL_TIMEOUTS * sum(limits))
        except (requests.exceptions.ContentDecodingError, requests.exceptions.InvalidHeader):
            raise ProviderMisbehaved("The provider's answer cannot be decoded.") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise ProviderUnreachable(
                f"The provider did not answer: {type(error).__name__}."
            ) from None
        if response.is_redirect:
            raise ProviderMisbehaved(
                "The provider answered with a redirect, which is not followed."
            )
        return response


def _read(response: requests.Response, most_bytes: int, total_seconds: float) -> None:
    """Read a body of unknown length, as unpacked, and give it to the response as its content."""
    deadline = time.monotonic() + total_seconds
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > most_bytes:
            raise ProviderMisbehaved(f"The provider's answer is larger than {most_bytes} bytes.")
        if time.monotonic() > deadline:
            raise ProviderUnreachable("The provider did not finish its answer in time.")
    response._content = bytes(body)


@cache
def shared_adapter() -> GuardedAdapter:
    """Return the adapter of this process: its pools keep the connections to each provider alive."""
    return GuardedAdapter(pool_connections=32, pool_maxsize=32)


def guard(session: requests.Session) -> None:
    """Make a session send everything through the shared adapter, and nothing around it."""
    session.trust_env = False
    session.headers["User-Agent"] = USER_AGENT
    session.headers["Accept"] = "application/json"
    for scheme in ("http://", "https://"):
        session.mount(scheme, shared_adapter())


def get_json(url: str, headers: dict[str, str] | None = None) -> Any:
    """Fetch JSON data.

    Raises:
        ProviderUnreachable: No answer in time, or one of status 5xx or 429.
        ProviderMisbehaved: The answer is not JSON, or of another status than 200.
        AddressForbidden: The URL leads where it must not.
    """
    # Closing a session would close the shared adapter, and with it everybody's connections.
    session = requests.Session()
    guard(session)
    response = check_available(session.get(url, headers=headers))
    if response.status_code != requests.codes.ok:
        raise ProviderMisbehaved(f"The provider answered with status {response.status_code}.")
    try:
        return response.json()
    except ValueError:
        raise ProviderMisbehaved("The provider's answer is not JSON.") from None


def post_json(url: str, body: bytes, headers: dict[str, str]) -> None:
    """Send JSON, of whose answer nothing but success is expected.

    Raises:
        ProviderUnreachable: No answer in time, or one of status 5xx or 429.
        ProviderMisbehaved: The answer is of another status than 2xx.
        AddressForbidden: The URL leads where it must not.
    """
    session = requests.Session()
    guard(session)
    headers = {**headers, "Content-Type": "application/json"}
    response = check_available(session.post(url, data=body, headers=headers))
    if not response.ok:
        raise ProviderMisbehaved(f"The receiver answered with status {response.status_code}.")


def check_available(response: requests.Response) -> requests.Response:
    """Return an answer unless it says that the provider cannot answer at the moment.

    Raises:
        ProviderUnreachable: The status is 429 or 5xx.
    """
    if response.status_code == requests.codes.too_many_requests or response.status_code >= 500:
        raise ProviderUnreachable(f"The provider answered with status {response.status_code}.")
    return response
