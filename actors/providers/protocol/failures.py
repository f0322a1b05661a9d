"""Classification of token endpoint errors (RFC 6749 section 5.2) into six kinds, by tables.

The signs of an answer are, the most specific first: the words of the provider's settings, those of
its host, the error code, the words of any provider, an error code in another member, the status.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import requests

from actors.errors import AuthError, FailureKind
from actors.providers.errors import ProviderRefused, ProviderUnreachable, sanitize_error_code
from actors.providers.http.answers import error_of
from actors.providers.http.availability import retry_after_seconds
from actors.providers.protocol.failure_words import ErrorAnswer, usual_words, words_of_host
from actors.providers.protocol.provider import Provider

#: RFC 6749 section 5.2, OpenID Connect Core section 3.1.2.6, and codes that mean the same with
#: every provider that uses them. Others are in presets.toml.
_KIND_BY_ERROR: Final = {
    "invalid_grant": FailureKind.GRANT_DEAD,
    "bad_refresh_token": FailureKind.GRANT_DEAD,
    "interaction_required": FailureKind.GRANT_DEAD,
    "login_required": FailureKind.GRANT_DEAD,
    "invalid_client": FailureKind.CLIENT_MISCONFIGURED,
    "unauthorized_client": FailureKind.CLIENT_MISCONFIGURED,
    "unsupported_grant_type": FailureKind.CLIENT_MISCONFIGURED,
    "incorrect_client_credentials": FailureKind.CLIENT_MISCONFIGURED,
    "redirect_uri_mismatch": FailureKind.CLIENT_MISCONFIGURED,
    "invalid_scope": FailureKind.SCOPE,
    "invalid_target": FailureKind.SCOPE,
    "consent_required": FailureKind.SCOPE,
    "slow_down": FailureKind.RATE_LIMITED,
    "rate_limit_exceeded": FailureKind.RATE_LIMITED,
    "server_error": FailureKind.TRANSIENT,
    "temporarily_unavailable": FailureKind.TRANSIENT,
}
#: For answers without an error code. 404 and 405 mean that token_endpoint is a wrong URL.
_KIND_BY_STATUS: Final = {
    401: FailureKind.CLIENT_MISCONFIGURED,
    404: FailureKind.CLIENT_MISCONFIGURED,
    405: FailureKind.CLIENT_MISCONFIGURED,
    408: FailureKind.TRANSIENT,
    425: FailureKind.TRANSIENT,
}
_TEMPORARY: Final = (FailureKind.RATE_LIMITED, FailureKind.TRANSIENT)
#: Codes that some providers also use for a refresh token that is no more; their sentences tell.
_VAGUE_ERRORS: Final = ("unauthorized_client",)
_CHECK_CLIENT: Final = "Check the client's id, its credentials and token_endpoint_auth_method."


def classify_error(
    error: str | None,
    answer: Mapping[str, Any],
    response: requests.Response,
    provider: Provider,
) -> AuthError:
    """Return the error to raise for an answer without tokens.

    `error` is its error code as `error_of` returns it, None where only the status is one of
    failure.
    """
    status = response.status_code
    words = ErrorAnswer(answer, error or "", status)
    kind = _kind(words, error or "", status, provider)
    shown = sanitize_error_code(f"status {status}" if error is None else error)
    if kind in _TEMPORARY:
        return ProviderUnreachable(
            f"The provider cannot answer at the moment: {shown}.",
            kind=kind,
            retry_after_seconds=retry_after_seconds(response),
        )
    usual = _CHECK_CLIENT if kind is FailureKind.CLIENT_MISCONFIGURED else None
    sign = words.find(provider.failure_remedies) or words.status_word
    remedy = provider.failure_remedies.get(sign, usual)
    described = words.describe(provider)
    said = f"status {status}; {described}" if described else f"status {status}"
    brief = words.describe(provider, is_brief=True)
    return ProviderRefused(shown, kind=kind, remedy=remedy, answer=said, brief=brief)


def classify_code(error: str, answer: Mapping[str, Any], provider: Provider) -> AuthError:
    """Return the error to raise for an error code in an answer of status 200, such as Slack's."""
    kind = _kind(ErrorAnswer(answer, error, requests.codes.ok), error, requests.codes.ok, provider)
    shown = sanitize_error_code(error)
    if kind in _TEMPORARY:
        text = f"The provider cannot answer at the moment: {shown}."
        return ProviderUnreachable(text, kind=kind)
    return ProviderRefused(shown)


def classify_by_words(
    answer: Mapping[str, Any], response: requests.Response, provider: Provider
) -> AuthError | None:
    """Return the error for an answer that only words tell to be one, whatever its status.

    An unavailable provider (429, 5xx) may say so of a grant, and one with status 200 as well.
    """
    words = ErrorAnswer(answer, error_of(answer) or "", response.status_code)
    kind = _set_kind(words, provider) or _status_kind(words, provider)
    if kind is None and response.status_code < 300:
        kind = _usual_kind(words)
    if kind is None or (response.status_code >= 429 and kind in _TEMPORARY):
        return None
    return classify_error(error_of(answer), answer, response, provider)


def _kind(words: ErrorAnswer, error: str, status: int, provider: Provider) -> FailureKind:
    """Return what an answer means, by its most specific sign."""
    if (kind := _set_kind(words, provider)) is not None:
        return kind
    if error in _KIND_BY_ERROR and error not in _VAGUE_ERRORS:
        return _KIND_BY_ERROR[error]
    if (kind := _usual_kind(words)) is not None:
        return kind
    if error in _KIND_BY_ERROR:
        return _KIND_BY_ERROR[error]
    if (kind := _status_kind(words, provider)) is not None:
        return kind
    return FailureKind.MALFORMED if error else _KIND_BY_STATUS.get(status, FailureKind.MALFORMED)


def _set_kind(words: ErrorAnswer, provider: Provider) -> FailureKind | None:
    """Return the kind by the words of the provider's settings, else by those of its host."""
    for kinds in (provider.failure_kinds, words_of_host(provider)):
        if (word := words.find(kinds)) is not None:
            return FailureKind(kinds[word])
    return None


def _status_kind(words: ErrorAnswer, provider: Provider) -> FailureKind | None:
    """Return the kind of the answer's status, where the settings or the host have one."""
    kinds = {**words_of_host(provider), **provider.failure_kinds}
    return FailureKind(kinds[words.status_word]) if words.status_word in kinds else None


def _usual_kind(words: ErrorAnswer) -> FailureKind | None:
    if (word := words.find(usual_words())) is not None:
        return FailureKind(usual_words()[word])
    if words.tells_dead_token():
        return FailureKind.GRANT_DEAD
    code = words.find_code(_KIND_BY_ERROR)
    return None if code is None else _KIND_BY_ERROR[code]
