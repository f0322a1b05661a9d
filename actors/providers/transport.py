"""HTTP to providers: kept-alive connections, guarded addresses, and bounds on time and size."""

from __future__ import annotations

import logging
import math
import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from actors.errors import (
    AddressForbidden,
    FailureKind,
    ProviderMisbehaved,
    ProviderRefused,
    ProviderUnreachable,
)
from actors.providers.addresses import check_url
from actors.providers.answers import is_data, parse_json
from actors.providers.guarded_pools import GuardedHTTPPool, GuardedHTTPSPool
from config import current_settings

USER_AGENT: Final = "cat-feeder-auth-worker"
_CHUNK_BYTES: Final = 16384

# oauthlib refuses http by itself; `check_url` decides about that.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
# At level DEBUG these print codes, tokens and client secrets, whatever our own level is; urllib3's
# warnings quote the URL, and the headers as the provider wrote them.
for _name in ("requests_oauthlib", "oauthlib", "urllib3"):
    logging.getLogger(_name).setLevel(logging.ERROR)


class GuardedAdapter(HTTPAdapter):
    """Sends a request under the guard and reads the whole answer within its bounds."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make pools whose connections look at the address first."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": GuardedHTTPPool,
            "https": GuardedHTTPSPool,
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
        with failures_told():
            response = super().send(request, stream=True, timeout=limits, verify=True)
            with response:
                response._content = bounded_body(response.iter_content(_CHUNK_BYTES))
        # Else whoever asks for the text has it guessed, by a header or by statistics.
        response.encoding = "utf-8"
        check_no_redirect(response)
        return response


@contextmanager
def failures_told() -> Iterator[None]:
    """Turn what fails in requests and urllib3 into our errors, without a word of the request.

    Raises:
        AddressForbidden: The URL is none that can be called.
        ProviderMisbehaved: The answer cannot be decoded.
        ProviderUnreachable: There was no answer, or it broke off.
    """
    try:
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
        raise ProviderMisbehaved("The provider's answer cannot be decoded.") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise ProviderUnreachable(
            f"The provider did not answer: {type(error).__name__}.",
            is_outcome_unknown=not _is_unsent(error),
        ) from None


def _is_unsent(error: Exception) -> bool:
    """Tell whether a request failed before a byte of it was sent, so that nothing came of it."""
    reason = _reason(error)
    if isinstance(reason, urllib3.exceptions.SSLError):
        return bool(reason.args) and isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(
        reason, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    )


def _reason(error: Exception) -> object:
    """Return what urllib3 said first; requests wraps it, and urllib3 once more what it gives up."""
    if isinstance(error, urllib3.exceptions.HTTPError):
        return error
    cause = error.args[0] if error.args else None
    return getattr(cause, "reason", cause)


def bounded_body(chunks: Iterable[bytes]) -> bytes:
    """Put together a body of unknown length, as unpacked.

    Raises:
        ProviderMisbehaved: It is larger than the settings allow.
    """
    most_bytes = current_settings().oauth.maximum_answer_bytes
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > most_bytes:
            raise ProviderMisbehaved(f"The provider's answer is larger than {most_bytes} bytes.")
    return bytes(body)


def check_no_redirect(response: requests.Response) -> None:
    """Make sure that an answer is none that leads elsewhere.

    Raises:
        ProviderMisbehaved: It is a redirect.
    """
    if response.is_redirect:
        raise ProviderMisbehaved("The provider answered with a redirect, which is not followed.")


@cache
def shared_adapter() -> GuardedAdapter:
    """Return the adapter of this process: its pools keep the connections to each provider alive."""
    # More would be closed after each use: the number of providers, and of threads that ask one.
    return GuardedAdapter(pool_connections=128, pool_maxsize=128)


def guard(session: requests.Session) -> None:
    """Make a session send everything through the shared adapter, and nothing around it.

    Such a session is never closed: that would close everybody's connections.
    """
    session.trust_env = False
    session.headers["User-Agent"] = USER_AGENT
    session.headers["Accept"] = "application/json"
    for scheme in ("http://", "https://"):
        session.mount(scheme, shared_adapter())


def get_json(url: str, headers: Mapping[str, str] | None = None) -> Any:
    """Fetch JSON data.

    Raises:
        ProviderUnreachable: No answer in time, or one of status 5xx or 429.
        ProviderRefused: The status is another one of 4xx.
        ProviderMisbehaved: The answer is not JSON, or of another status than 200.
        AddressForbidden: The URL leads where it must not.
    """
    return read_json(_request("GET", url, headers=headers))


def read_json(response: requests.Response) -> Any:
    """Return the JSON data of an answer.

    Raises:
        ProviderRefused: The status is one of 4xx.
        ProviderMisbehaved: The answer is not JSON, or of another status than 200.
    """
    if response.status_code >= 400:
        raise ProviderRefused(f"status {response.status_code}")
    if response.status_code != requests.codes.ok:
        raise ProviderMisbehaved(f"The provider answered with status {response.status_code}.")
    if not is_data(response.headers.get("Content-Type")):
        raise ProviderMisbehaved("The provider's answer is not JSON by its Content-Type.")
    try:
        return parse_json(response.content)
    except ValueError:
        raise ProviderMisbehaved("The provider's answer is not JSON.") from None


def send_delete(
    url: str,
    *,
    json: Mapping[str, str] | None = None,
    auth: AuthBase | None = None,
    headers: Mapping[str, str] | None = None,
) -> requests.Response:
    """Send a DELETE and return the answer, whatever it says, if it is one.

    Raises:
        ProviderUnreachable, AddressForbidden, ProviderMisbehaved: As `GuardedAdapter.send`.
    """
    return _request("DELETE", url, json=json, auth=auth, headers=headers)


def post_json(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Send JSON, of whose answer nothing but success is expected.

    Raises:
        ProviderUnreachable: No answer in time, or one of status 5xx or 429.
        ProviderMisbehaved: The answer is of another status than 2xx.
        AddressForbidden: The URL leads where it must not.
    """
    response = _request(
        "POST", url, data=body, headers={**headers, "Content-Type": "application/json"}
    )
    if response.status_code >= requests.codes.multiple_choices:
        raise ProviderMisbehaved(f"The receiver answered with status {response.status_code}.")


def _request(method: str, url: str, **options: Any) -> requests.Response:
    session = requests.Session()
    guard(session)
    with failures_told():
        return check_available(session.request(method, url, **options))


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
