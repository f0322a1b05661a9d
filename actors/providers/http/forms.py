"""Form posts over kept-alive connections, without the cost of a `requests.Session`.

Each renewal posts one form. A session would take three times as much CPU time as this module. Some
token endpoints take the same parameters as JSON or in the query.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlencode

import requests
import urllib3
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_ACCEPT_ENCODING

from actors.providers.http.addresses import check_url
from actors.providers.http.availability import check_available
from actors.providers.http.exchanges.answers import Answer
from actors.providers.http.exchanges.kept_alive import Outgoing, exchange
from actors.providers.http.transport import (
    USER_AGENT,
    check_no_redirect,
    read_bounded_body,
    shared_adapter,
    translate_http_errors,
)
from actors.telemetry.tracing import annotate
from config import current_settings

#: How the parameters of a request are written: in its body, or in its query.
Format: TypeAlias = Literal["form", "json", "query"]
#: A parameter is a text, or several that repeat its name (RFC 8707 section 2).
Parameters: TypeAlias = Mapping[str, str | list[str]]

_HEADERS: Final = {
    "User-Agent": USER_AGENT,
    "Accept": "application/json",
    "Accept-Encoding": DEFAULT_ACCEPT_ENCODING,
}
_HEADERS_BY_FORMAT: Final[Mapping[Format, Mapping[str, str]]] = {
    "form": {**_HEADERS, "Content-Type": "application/x-www-form-urlencoded"},
    "json": {**_HEADERS, "Content-Type": "application/json"},
    "query": _HEADERS,
}
_CHUNK_BYTES: Final = 16384


def post_form(
    url: str,
    form: Parameters,
    auth: AuthBase | None,
    headers: Mapping[str, str] | None = None,
    *,
    is_any_status: bool = False,
) -> requests.Response:
    """Post a form once and return the answer, of any status but those below.

    With `is_any_status` the caller looks at 5xx and 429 as well.

    Raises:
        ProviderUnreachable: No answer in time, or its status is 5xx or 429.
        AddressForbidden, ProviderMisbehaved: As `GuardedAdapter.send`.
    """
    return send_parameters(url, form, auth, headers, is_any_status=is_any_status)


def send_parameters(
    url: str,
    parameters: Parameters,
    auth: AuthBase | None,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "POST",
    encoding: Format = "form",
    is_any_status: bool = False,
) -> requests.Response:
    """Send parameters once, as a form, as JSON or in the query; else as `post_form`."""
    _check_url(url, current_settings().allowed_private_hosts)
    with translate_http_errors():
        whole = _authenticate(auth, {**_HEADERS_BY_FORMAT[encoding], **(headers or {})})
        query = urlencode(parameters, doseq=True) if encoding == "query" else ""
        answer = _send(method, url, query, _write_body(parameters, encoding), whole)
        return read_answer(answer, is_any_status=is_any_status)


#: Cached, as there are few token endpoints. A URL that is refused raises each time.
_check_url: Final = lru_cache(maxsize=1024)(check_url)


def _write_body(parameters: Parameters, encoding: Format) -> bytes | None:
    if encoding == "query":
        return None
    text = json.dumps(parameters) if encoding == "json" else urlencode(parameters, doseq=True)
    return text.encode()


class WrittenAuth(AuthBase):
    """The headers of an authentication that writes the same ones for each request, written once."""

    def __init__(self, auth: AuthBase) -> None:
        self.headers = dict(_write_headers(auth))

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add them."""
        request.headers.update(self.headers)
        return request


def _write_headers(auth: AuthBase) -> CaseInsensitiveDict[str]:
    request = requests.PreparedRequest()
    request.headers = CaseInsensitiveDict()
    return auth(request).headers


def _authenticate(auth: AuthBase | None, headers: dict[str, str]) -> dict[str, str]:
    if auth is None:
        return headers
    added = auth.headers if isinstance(auth, WrittenAuth) else dict(_write_headers(auth))
    names = {name.lower() for name in added}
    return {**{name: it for name, it in headers.items() if name.lower() not in names}, **added}


def _send(
    method: str, url: str, query: str, body: bytes | None, headers: Mapping[str, str]
) -> Answer:
    pool, path = shared_adapter().find_pool(url)
    if query:
        path += ("&" if "?" in path else "?") + query
    answer: Answer | None = None
    if body is not None:
        seconds = current_settings().oauth.read_timeout_seconds
        answer = exchange(pool, Outgoing(method, path, body, headers), seconds)
    answer = answer or _open(pool, method, path, body, headers)
    annotate({"http.request.method": method, "http.response.status_code": answer.status})
    return answer


def _open(
    pool: Any, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
) -> urllib3.BaseHTTPResponse:
    """Send a request on a new connection, or whatever http.client alone knows how to send."""
    oauth = current_settings().oauth
    answer: urllib3.BaseHTTPResponse = pool.urlopen(
        method,
        path,
        body,
        headers,
        # A retry would show a single-use refresh token twice.
        retries=False,
        redirect=False,
        assert_same_host=False,
        timeout=urllib3.Timeout(
            connect=oauth.connect_timeout_seconds, read=oauth.read_timeout_seconds
        ),
        preload_content=False,
        decode_content=False,
    )
    return answer


def read_answer(answer: Answer, *, is_any_status: bool = False) -> requests.Response:
    """Return an answer with its body read, of any status but those below.

    With `is_any_status` the caller looks at 5xx and 429 as well.

    Raises:
        ProviderUnreachable: Its status is 5xx or 429.
        ProviderMisbehaved: It is a redirect, too large or broken.
    """
    response = _read(answer)
    check_no_redirect(response)
    return response if is_any_status else check_available(response)


def _read(answer: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    headers: Any = answer.headers  # Case-insensitive, as those of requests are.
    response.headers = headers
    try:
        response._content = read_bounded_body(answer.stream(_CHUNK_BYTES, decode_content=True))
    finally:
        # Read to its end, it is back in the pool already. Any other must not be reused.
        answer.close()
        answer.release_conn()
    return response
