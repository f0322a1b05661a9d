"""Classification of token endpoint errors (RFC 6749 section 5.2) into six kinds, by tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import requests

from actors.errors import (
    AuthError,
    FailureKind,
    ProviderRefused,
    ProviderUnreachable,
    sanitize_error_code,
)
from actors.providers.http.availability import retry_after_seconds
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
_CHECK_CLIENT: Final = "Check the client's id, its credentials and token_endpoint_auth_method."
#: Microsoft's error numbers, as some answers have them in the description only.
_NUMBER: Final = re.compile(r"AADSTS([0-9]{2,8})\b")
_MAX_NUMBERS: Final = 16


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
    sign = _sign(error or "", answer, provider)
    kind = _kind(sign, response.status_code, provider)
    shown = sanitize_error_code(f"status {response.status_code}" if error is None else error)
    if kind in _TEMPORARY:
        return ProviderUnreachable(
            f"The provider cannot answer at the moment: {shown}.",
            kind=kind,
            retry_after_seconds=retry_after_seconds(response),
        )
    usual = _CHECK_CLIENT if kind is FailureKind.CLIENT_MISCONFIGURED else None
    return ProviderRefused(shown, kind=kind, remedy=provider.failure_remedies.get(sign, usual))


def _sign(error: str, answer: Mapping[str, Any], provider: Provider) -> str:
    """Return the most specific sign that the provider's tables have, else the error code."""
    known = provider.failure_kinds.keys() | provider.failure_remedies.keys()
    description = _description(answer)
    for number in _numbers(answer, description):
        if number in known:
            return number
    for words in sorted(known):
        # A single word could be part of any description.
        if " " in words and words in description:
            return words
    return error


def _kind(sign: str, status: int, provider: Provider) -> FailureKind:
    if configured := provider.failure_kinds.get(sign):
        return FailureKind(configured)
    if sign:
        return _KIND_BY_ERROR.get(sign, FailureKind.MALFORMED)
    return _KIND_BY_STATUS.get(status, FailureKind.MALFORMED)


def _description(answer: Mapping[str, Any]) -> str:
    error = answer.get("error")
    text = error.get("message") if isinstance(error, Mapping) else answer.get("error_description")
    return text if isinstance(text, str) else ""


def _numbers(answer: Mapping[str, Any], description: str) -> Iterator[str]:
    """Yield Microsoft's error numbers, which are more specific than the error code."""
    codes = answer.get("error_codes")
    for code in codes[:_MAX_NUMBERS] if isinstance(codes, list) else ():
        yield str(code)
    yield from _NUMBER.findall(description)
