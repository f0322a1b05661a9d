"""Single GET, POST and DELETE requests through the guarded transport, and their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from requests.auth import AuthBase

from actors.providers.errors import ProviderMisbehaved, ProviderRefused
from actors.providers.http.answers import is_data, parse_json
from actors.providers.http.availability import check_available
from actors.providers.http.peer import call_peer
from actors.providers.http.transport import guard_session, translate_http_errors


def get_json(url: str, headers: Mapping[str, str] | None = None) -> Any:
    """Fetch JSON data.

    Raises:
        ProviderUnreachable: No answer in time, or its status is 5xx or 429.
        ProviderRefused: The status is another 4xx.
        ProviderMisbehaved: The answer is not JSON, or its status is another than 200.
        AddressForbidden: The URL leads where it must not.
    """
    return read_json(send("GET", url, headers=headers))


def read_json(response: requests.Response) -> Any:
    """Return the JSON data of an answer.

    Raises:
        ProviderRefused: The status is 4xx.
        ProviderMisbehaved: The answer is not JSON, or its status is another than 200.
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
    """Send a DELETE and return the answer, of any status but 429 and 5xx.

    Raises:
        ProviderUnreachable, AddressForbidden, ProviderMisbehaved: As `GuardedAdapter.send`.
    """
    return send("DELETE", url, json=json, auth=auth, headers=headers)


def post_json(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Post JSON, expect nothing but success in return, and return its status.

    Raises:
        ProviderUnreachable: No answer in time, or its status is 5xx or 429.
        ProviderMisbehaved: The status is another than 2xx.
        AddressForbidden: The URL leads where it must not.
    """
    headers = {**headers, "Content-Type": "application/json"}
    with call_peer("receiver"):
        response = send("POST", url, data=body, headers=headers)
    if response.status_code >= requests.codes.multiple_choices:
        error = ProviderMisbehaved(f"The receiver answered with status {response.status_code}.")
        error.status = response.status_code
        raise error
    return response.status_code


def send(method: str, url: str, **options: Any) -> requests.Response:
    """Send a request, with the options of `requests.request`, and return the answer.

    Raises:
        ProviderUnreachable: No answer in time, or its status is 5xx or 429.
        AddressForbidden, ProviderMisbehaved: As `GuardedAdapter.send`.
    """
    session = requests.Session()
    guard_session(session)
    with translate_http_errors():
        return check_available(session.request(method, url, **options))
