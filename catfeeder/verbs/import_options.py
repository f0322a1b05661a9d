"""Options of an import, by the same names in Python and HTTP, and the request that they make."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypedDict

from catfeeder.http_api import ApiRequest
from catfeeder.results import Connection

#: The options that stand among the tokens of a request.
_OF_TOKENS: Final = ("token_type", "scope", "expires_at", "refresh_token_expires_at")


class ImportOptions(TypedDict, total=False):
    """What may be known of a grant that is moved in."""

    #: The asking app's own name for its user.
    subject: str | None
    token_type: str | None
    #: The granted scopes, parted by spaces or commas.
    scope: str | None
    #: When the access token expires; a time with a zone.
    expires_at: datetime | None
    #: When the refresh token, and so the grant, expires.
    refresh_token_expires_at: datetime | None
    #: The account: `subject` is the provider's own name for it; `email`, `name`, `picture`, `raw`.
    profile: Mapping[str, Any] | None
    #: Further members that the API cannot be called without.
    metadata: Mapping[str, Any] | None
    #: What the provider's URLs are filled in with, such as the subdomain of a customer.
    variables: Mapping[str, str] | None
    #: When the user gave consent.
    created_at: datetime | None
    #: Whether it takes the place of another grant of the account that works.
    replace: bool


def build_import(
    provider: str, tokens: Mapping[str, str], timeout: float, options: ImportOptions
) -> ApiRequest[Connection]:
    """Return the request that imports tokens.

    Raises:
        TypeError: There is no such option.
    """
    if unknown := options.keys() - ImportOptions.__optional_keys__:
        raise TypeError(f"import_connection() has no option {', '.join(sorted(unknown))}")
    given: dict[str, Any] = {
        name: _to_json(value) for name, value in options.items() if value is not None
    }
    about_tokens = {name: given.pop(name) for name in _OF_TOKENS if name in given}
    body: dict[str, Any] = {"provider": provider, "tokens": {**tokens, **about_tokens}, **given}
    return ApiRequest(Connection, timeout, "POST", "/v1/connections", body)


def _to_json(value: object) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
