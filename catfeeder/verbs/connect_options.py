"""Options of a connect session, by the same names in Python and HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from catfeeder.http_api import ApiRequest
from catfeeder.results import ConnectLink


class ConnectOptions(TypedDict, total=False):
    """What an app may ask of the page where a user connects accounts."""

    #: In place of a subject: the connection that its user is to connect anew.
    connection_id: str | None
    #: What the page offers; all that the app may use if left out.
    providers: Sequence[str] | None
    #: Where the page leads back to, with `connection_ids`.
    return_to: str | None
    #: Whether the answers of sign-ins go to `return_to`, for `exchange_code`.
    relay: bool


def build_connect_session(
    subject: str | None, timeout: float, options: ConnectOptions
) -> ApiRequest[ConnectLink]:
    """Return the request that makes a link.

    Raises:
        TypeError: There is no such option.
    """
    if unknown := options.keys() - ConnectOptions.__optional_keys__:
        raise TypeError(f"connect_session() has no option {', '.join(sorted(unknown))}")
    given = {"subject": subject, **options}
    body = {name: value for name, value in given.items() if value is not None}
    return ApiRequest(ConnectLink, timeout, "POST", "/v1/connect-sessions", body)
