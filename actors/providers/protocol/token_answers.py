"""What a token endpoint answered: tokens, or why there are none, in all the ways in use."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl

import requests

from actors.errors import ProviderMisbehaved
from actors.providers.http.answers import error_of, is_data, is_visible_ascii, one_line, parse_json
from actors.providers.http.availability import check_available
from actors.providers.protocol.failures import refusal
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import slack
from catfeeder.sealing import Secret

#: A longer lifetime is a time of day, or nonsense.
_LONGEST_LIFETIME_SECONDS: Final = 10 * 365 * 86400
_TOKEN_TYPE: Final = re.compile("[A-Za-z0-9._~+/-]{1,64}")
_MOST_FIELDS: Final = 64
#: GitHub's and LinkedIn's name, Keycloak's, and Intuit's; the standard has none.
_REFRESH_TOKEN_LIFETIMES: Final = (
    "refresh_token_expires_in",
    "refresh_expires_in",
    "x_refresh_token_expires_in",
)


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A successful answer (RFC 6749 section 5.1); `scope` is None when the answer tells none."""

    access_token: Secret
    token_type: str
    refresh_token: Secret | None
    expires_in: int | None
    scope: str | None
    id_token: Secret | None
    #: How long the refresh token lives, where the answer tells.
    refresh_token_expires_in: int | None = None
    #: Whose the tokens are, where the answer itself tells.
    account: Mapping[str, Any] | None = None
    #: Tokens of another account that came with the same answer.
    second: TokenResponse | None = None


def read_tokens(response: requests.Response, provider: Provider) -> TokenResponse:
    """Return the tokens of an answer.

    Raises:
        ProviderRefused: It says that there are none.
        ProviderMisbehaved: It says nothing of the kind.
        ProviderUnreachable: The provider cannot answer at the moment.
    """
    answer = _members(check_available(response))
    error = error_of(answer)
    if error is not None or response.status_code >= requests.codes.bad_request:
        raise refusal(error, answer, response, provider)
    if response.status_code >= requests.codes.multiple_choices:
        raise _without_token()
    if provider.token_answer != "slack_app":
        return _tokens(answer, provider)
    pairs = [
        replace(_tokens(pair, provider), account=account) for pair, account in slack.pairs(answer)
    ]
    if not pairs:
        raise _without_token()
    return replace(pairs[0], second=pairs[1] if len(pairs) > 1 else None)


def _without_token() -> ProviderMisbehaved:
    return ProviderMisbehaved("The provider's answer holds no access token.")


def _tokens(answer: Mapping[str, Any], provider: Provider) -> TokenResponse:
    access_token = _token(answer, "access_token")
    if access_token is None:
        raise _without_token()
    return TokenResponse(
        access_token=access_token,
        token_type=_token_type(answer.get("token_type")),
        refresh_token=_token(answer, "refresh_token"),
        expires_in=_lifetime(answer, provider),
        scope=_scope(answer.get("scope")),
        id_token=_token(answer, "id_token"),
        refresh_token_expires_in=_refresh_token_lifetime(answer),
    )


def _members(response: requests.Response) -> Mapping[str, Any]:
    """Read the body as JSON, or else as the form that some providers still answer with."""
    if not is_data(response.headers.get("Content-Type")):
        return {}
    try:
        answer = parse_json(response.content)
    except ValueError:
        answer = _form(response.content)
    return answer if isinstance(answer, dict) else {}


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}


def _token(answer: Mapping[str, Any], name: str) -> Secret | None:
    value = answer.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not is_visible_ascii(value):
        raise ProviderMisbehaved(f"The provider's {name} has characters that no token has.")
    return Secret(value)


def _token_type(value: Any) -> str:
    return value if isinstance(value, str) and _TOKEN_TYPE.fullmatch(value) else "Bearer"


def _lifetime(answer: Mapping[str, Any], provider: Provider) -> int | None:
    """Return a lifetime in seconds; where none is told, that of the provider's settings."""
    told = answer.get("expires_in")
    seconds = _sane(_seconds(answer.get("expires") if told is None else told))
    return provider.default_lifetime_seconds if seconds is None else seconds


def _refresh_token_lifetime(answer: Mapping[str, Any]) -> int | None:
    """Return how long the refresh token lives; Keycloak writes 0 where it does not say."""
    told = (answer.get(name) for name in _REFRESH_TOKEN_LIFETIMES)
    return _sane(_seconds(next((value for value in told if value is not None), None)))


def _sane(seconds: int) -> int | None:
    if seconds > _LONGEST_LIFETIME_SECONDS:
        seconds -= int(time.time())  # Some tell the time of the end instead.
    return seconds if 0 < seconds <= _LONGEST_LIFETIME_SECONDS else None


def _seconds(value: Any) -> int:
    """Return a whole number, which may stand in a string; 0 for what is none."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", value):
        value = float(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number else 0


def _scope(value: Any) -> str | None:
    """Return the granted scope with single spaces; some providers part it by commas."""
    if isinstance(value, list):
        value = " ".join(part for part in value if isinstance(part, str))
    text = one_line(value)
    return " ".join(text.replace(",", " ").split()) if text is not None else None
