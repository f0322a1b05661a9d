"""Token responses (RFC 6749 sections 5.1 and 5.2), read in all the forms that are in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import requests

from actors.providers.errors import ProviderMisbehaved
from actors.providers.http.answers import error_of, is_data, is_visible_ascii, one_line, parse_json
from actors.providers.http.availability import check_available
from actors.providers.http.members import OF_TOKEN_ANSWERS, find_at, pick_members, spell_names
from actors.providers.protocol.failures import classify_by_words, classify_error
from actors.providers.protocol.filling import list_members
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.quirks import slack
from actors.providers.protocol.tokens.lifetimes import read_lifetime, read_refresh_token_lifetime
from actors.providers.protocol.tokens.types import read_token_type
from catfeeder.clock import utc_now
from catfeeder.sealing import Secret

_MAX_FIELDS: Final = 64
_OPTIONAL_TOKENS: Final = ("refresh_token", "id_token")


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A successful answer (RFC 6749 section 5.1); what it does not state is None.

    Without `states_lifetime` the answer has no `expires_in`, which is then the provider's default.
    """

    access_token: Secret
    token_type: str
    refresh_token: Secret | None
    expires_in: int | None
    scope: str | None
    id_token: Secret | None
    states_lifetime: bool = True
    refresh_token_expires_in: int | None = None
    #: Further members that the API cannot be called without.
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: The account that the tokens are for, where the answer itself describes it (Slack).
    account: Mapping[str, Any] | None = None
    #: Tokens of a second account in the same answer (Slack).
    second: TokenResponse | None = None


def read_tokens(
    response: requests.Response, provider: Provider, asked_at: datetime | None = None
) -> TokenResponse:
    """Return the tokens of an answer to a request of `asked_at`, by default of now.

    Raises:
        ProviderRefused: It is an error.
        ProviderMisbehaved: It holds neither tokens nor an error.
        ProviderUnreachable: The provider is unavailable.
    """
    answer = _move_members(read_members(response), provider.token_response_paths)
    check_for_error(answer, response, provider)
    answer = _add_token_in_hand(answer, provider)
    asked_at = asked_at or utc_now()
    pairs = _read_pairs(answer, provider, asked_at)
    if not pairs:
        raise classify_by_words(answer, response, provider) or _build_missing_token_error()
    first, *others = pairs
    return replace(first, second=others[0]) if others else first


def _add_token_in_hand(answer: Mapping[str, Any], provider: Provider) -> Mapping[str, Any]:
    """Return an answer with the token that it prolongs, where it says so and brings none."""
    wanted, token = provider.prolonging_answer, provider.token_in_hand
    if not wanted or token is None or answer.get("access_token"):
        return answer
    is_so = all(str(find_at(answer, path)) == text for path, text in wanted.items())
    return {**answer, "access_token": token.reveal()} if is_so else answer


def _move_members(answer: Mapping[str, Any], paths: Mapping[str, str]) -> Mapping[str, Any]:
    """Return an answer with its members by the names of RFC 6749, wherever they stood."""
    if not paths:
        return answer
    found = {name: find_at(answer, path) for name, path in paths.items()}
    return {**answer, **{name: value for name, value in found.items() if value is not None}}


def check_for_error(
    answer: Mapping[str, Any], response: requests.Response, provider: Provider
) -> None:
    """Raise unless an answer is a success, by its status and its members.

    Raises:
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: As `read_tokens`.
    """
    if response.status_code >= requests.codes.too_many_requests:
        if (error := classify_by_words(answer, response, provider)) is not None:
            raise error
        check_available(response)
    if error_of(answer) is not None or response.status_code >= requests.codes.bad_request:
        raise classify_error(error_of(answer), answer, response, provider)
    if response.status_code >= requests.codes.multiple_choices:
        raise _build_missing_token_error()


def _read_pairs(
    answer: Mapping[str, Any], provider: Provider, asked_at: datetime
) -> list[TokenResponse]:
    """Return the tokens of each account in an answer: of one, or of Slack's bot and user."""
    if provider.token_answer == "slack_app":
        metadata = _pick_metadata(answer, provider)
        # `token_type` says whose the token is: bot or user. Both are bearer tokens.
        return [
            replace(
                _read_pair(pair, provider, asked_at, account, metadata),
                token_type="Bearer",
            )
            for pair, account in slack.split_pairs(answer)
        ]
    if answer.get("access_token") in (None, ""):
        return []
    account, metadata = _read_account(answer, provider), _pick_metadata(answer, provider)
    return [_read_pair(answer, provider, asked_at, account, metadata)]


def _read_account(answer: Mapping[str, Any], provider: Provider) -> Mapping[str, Any] | None:
    """Return what an answer says of its user, without tokens; None where that is not looked for.

    A path of the profile leads to its value even within a member that has the name of a secret.
    """
    if provider.identity != "token_response":
        return None
    tokens = _list_tokens(answer)
    paths = [path for paths in provider.profile.values() for path in paths.split(" + ")]
    deep = {path: find_at(answer, path) for path in paths if path not in answer}
    return {
        **{name: it for name, it in deep.items() if isinstance(it, str | int)},
        **pick_members(answer, answer, tokens),
    }


def _pick_metadata(answer: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
    """Return the further members of an answer that are kept, by the provider's list."""
    usual = (
        spell_names(answer, OF_TOKEN_ANSWERS) if provider.metadata is None else provider.metadata
    )
    names = dict.fromkeys((*list_members(provider), *usual))
    return pick_members(answer, names, _list_tokens(answer))


def _list_tokens(answer: Mapping[str, Any]) -> list[Secret]:
    tokens = (answer.get(name) for name in ("access_token", "refresh_token", "id_token"))
    return [Secret(token) for token in tokens if isinstance(token, str) and token]


def _build_missing_token_error() -> ProviderMisbehaved:
    return ProviderMisbehaved("The provider's answer holds no access token.")


def _read_pair(
    answer: Mapping[str, Any],
    provider: Provider,
    asked_at: datetime,
    account: Mapping[str, Any] | None,
    metadata: Mapping[str, Any],
) -> TokenResponse:
    access_token = _read_token(answer, "access_token")
    if access_token is None:
        raise _build_missing_token_error()
    lifetime = read_lifetime(answer, asked_at)
    return TokenResponse(
        access_token=access_token,
        token_type=read_token_type(answer.get("token_type")),
        refresh_token=_read_token(answer, "refresh_token"),
        expires_in=provider.default_lifetime_seconds if lifetime is None else lifetime,
        scope=_read_scope(answer.get("scope"), provider.scope_separator),
        id_token=_read_token(answer, "id_token"),
        states_lifetime=lifetime is not None,
        refresh_token_expires_in=read_refresh_token_lifetime(answer, asked_at),
        metadata=metadata,
        account=account,
    )


def read_members(response: requests.Response) -> Mapping[str, Any]:
    """Return the members of an answer's body, which is JSON or, with some providers, a form.

    A failure may be a list or a sentence alone; that is then its `message`.
    """
    if not is_data(response.headers.get("Content-Type")):
        return {}
    try:
        answer = parse_json(response.content)
    except ValueError:
        text = response.content.decode(errors="replace")
        answer = _parse_form(response.content) or text
    if isinstance(answer, dict):
        return answer
    is_failure = response.status_code >= requests.codes.bad_request
    return {"message": answer} if is_failure else {}


def _parse_form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}


def _read_token(answer: Mapping[str, Any], name: str) -> Secret | None:
    """Return a token; None for a missing one.

    Providers without refresh tokens or id_tokens write false, 0, [] or {} in their place, and the
    sign-in needs neither: whatever is no text is none. A text with other characters is a mistake.

    Raises:
        ProviderMisbehaved: It holds characters that no token has, or is the access token and none.
    """
    value = answer.get(name)
    if not value or (name in _OPTIONAL_TOKENS and not isinstance(value, str)):
        return None
    if not isinstance(value, str) or not is_visible_ascii(value):
        raise ProviderMisbehaved(f"The provider's {name} has characters that no token has.")
    return Secret(value)


def _read_scope(value: Any, separator: str) -> str | None:
    """Return the granted scope, separated by single spaces; some providers use commas."""
    if isinstance(value, list):
        value = " ".join(part for part in value if isinstance(part, str))
    text = one_line(value)
    if text is None:
        return None
    return " ".join(text.replace(separator, " ").replace(",", " ").split())
