"""Device authorization (RFC 8628): a code for the user to enter, and the polls for its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

import requests

from actors.providers.errors import AddressForbidden, ProviderMisbehaved, ProviderNotConfigured
from actors.providers.http.addresses import check_url
from actors.providers.http.answers import error_of, is_visible_ascii, one_line
from actors.providers.protocol.client_authentication.methods import (
    client_credentials,
    try_each_secret,
)
from actors.providers.protocol.provider import DEVICE_CODE, Provider
from actors.providers.protocol.tokens.answers import (
    TokenResponse,
    check_for_error,
    read_members,
    read_tokens,
)
from actors.providers.protocol.tokens.requests import send_code, send_device_request
from catfeeder.sealing import Secret
from config import current_settings

#: Where the provider states none (RFC 8628 section 3.2).
_USUAL_INTERVAL_SECONDS: Final = 5
#: No code that a person enters is longer, and none is good for longer.
_MAX_USER_CODE_LENGTH: Final = 64
_MAX_LIFETIME_SECONDS: Final = 86_400
_MAX_URI_LENGTH: Final = 2048


class PollRefusal(StrEnum):
    """Why a poll brings no tokens (RFC 8628 section 3.5)."""

    AUTHORIZATION_PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    ACCESS_DENIED = "access_denied"
    EXPIRED_TOKEN = "expired_token"


#: Of Microsoft.
_OTHER_NAMES: Final = {"authorization_declined": PollRefusal.ACCESS_DENIED}
_REFUSALS: Final = {**{str(one): one for one in PollRefusal}, **_OTHER_NAMES}


class Refused(NamedTuple):
    """A poll without tokens; some providers state the interval of the next one."""

    reason: PollRefusal
    interval_seconds: int | None


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A device authorization response (RFC 8628 section 3.2)."""

    device_code: Secret
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_in: int
    interval_seconds: int


def request_device_code(provider: Provider, scopes: list[str]) -> DeviceCode:
    """Ask for a code that a user enters on another device (RFC 8628 section 3.1).

    The client authenticates as at the token endpoint.

    Raises:
        ProviderNotConfigured: There is no device_authorization_endpoint.
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: The provider's part failed.
    """
    if not provider.device_authorization_endpoint:
        name = "device_authorization_endpoint"
        raise ProviderNotConfigured.lacks(provider.public_name, name)
    scope = {"scope": provider.scope_separator.join(scopes)} if scopes else {}

    def ask(client: Provider) -> DeviceCode:
        named = {**client_credentials(client), **scope}
        return _read_device_code(send_device_request(client, named), client)

    return try_each_secret(provider, ask)


def poll_token(provider: Provider, device_code: Secret) -> TokenResponse | Refused:
    """Ask once whether the user has agreed (RFC 8628 section 3.4).

    Raises:
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: The provider's part failed.
    """
    form = {"grant_type": DEVICE_CODE, "device_code": device_code.reveal()}

    def ask(client: Provider) -> TokenResponse | Refused:
        response = send_code(client, {**form, **client_credentials(client)}, {})
        return _read_refusal(read_members(response)) or read_tokens(response, client)

    return try_each_secret(provider, ask)


def _read_refusal(answer: Mapping[str, Any]) -> Refused | None:
    """Return why an answer has no tokens yet; some have the code of it as a sentence alone."""
    for text in (error_of(answer), answer.get("message")):
        if isinstance(text, str) and text in _REFUSALS:
            return Refused(_REFUSALS[text], _read_seconds(answer.get("interval")))
    return None


def _read_device_code(response: requests.Response, client: Provider) -> DeviceCode:
    answer = read_members(response)
    check_for_error(answer, response, client)
    code, user_code = answer.get("device_code"), one_line(answer.get("user_code"))
    expires_in = _read_seconds(answer.get("expires_in"))
    if not isinstance(code, str) or not is_visible_ascii(code):
        raise ProviderMisbehaved("The provider's answer holds no device_code.")
    if user_code is None or len(user_code) > _MAX_USER_CODE_LENGTH:
        raise ProviderMisbehaved("The provider's answer holds no user_code that fits a screen.")
    if expires_in is None:
        raise ProviderMisbehaved("The provider's answer does not say when its code expires.")
    # The earlier name was that of drafts, which Google has kept.
    uri = _read_uri(answer, "verification_uri") or _read_uri(answer, "verification_url")
    if uri is None:
        raise ProviderMisbehaved("The provider's answer holds no verification_uri.")
    return DeviceCode(
        device_code=Secret(code),
        user_code=user_code,
        verification_uri=uri,
        verification_uri_complete=_read_uri(answer, "verification_uri_complete"),
        expires_in=expires_in,
        interval_seconds=_read_seconds(answer.get("interval")) or _USUAL_INTERVAL_SECONDS,
    )


def _read_seconds(value: Any) -> int | None:
    """Return a positive number of seconds, which some write as text; None for anything else.

    More than a day is as good as a day: no code is good for longer.
    """
    try:
        seconds = int(value) if isinstance(value, int | float | str) else 0
    except ValueError:
        return None
    return min(seconds, _MAX_LIFETIME_SECONDS) if seconds > 0 else None


def _read_uri(answer: Mapping[str, Any], name: str) -> str | None:
    """Return a page that the user is sent to; None where the answer has none.

    Raises:
        ProviderMisbehaved: It is none that a browser may be sent to.
    """
    uri = answer.get(name)
    if not uri:
        return None
    try:
        if not isinstance(uri, str) or len(uri) > _MAX_URI_LENGTH:
            raise AddressForbidden
        check_url(uri.partition("#")[0], current_settings().allowed_private_hosts)
    except AddressForbidden:
        raise ProviderMisbehaved(
            f"The provider's {name} is not https, or leads to no public address."
        ) from None
    return uri
