"""User info (OpenID Connect Core section 5.3): fetches the profile behind an access token."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from actors.errors import AuthError, FailureKind, IdTokenInvalid
from actors.providers.errors import (
    AddressForbidden,
    ProviderMisbehaved,
    ProviderNotConfigured,
    ProviderRefused,
    ProviderUnreachable,
)
from actors.providers.http.answers import error_of
from actors.providers.identity.email_lists import choose_email
from actors.providers.identity.profiles import (
    describe_no_one,
    find_subject,
    normalise,
    only_entry,
    subject_text,
    user_claims,
)
from actors.providers.identity.user_info_requests import ask_beside_user_info, ask_for_user_info
from actors.providers.protocol.failures import classify_code
from actors.providers.protocol.provider import Provider
from catfeeder.results import Profile, ProfileSource
from catfeeder.sealing import Secret

_LOG = logging.getLogger(__name__)
#: User info is not asked for, where there is any.
_WITHOUT_USER_INFO: Final = ("id_token", "token_response")
#: A user waits for the sign-in.
_QUICK_SECONDS: Final = 1.0
_EMAIL_PARTS: Final = ("email", "email_verified")


def fetch_profile(
    provider: Provider,
    access_token: Secret,
    claims: Mapping[str, Any] | None = None,
    *,
    is_sign_in: bool = False,
) -> Profile:
    """Return the normalised profile behind an access token; `claims` are those of the id_token.

    Where user info fails, the id_token is the profile if it names the user: the tokens of a
    sign-in are not lost for a want of more. `source` of the profile says which it is. Nor are they
    lost where user info names the user and the list of addresses fails.

    Raises:
        IdTokenInvalid: User info has another subject than the id_token (OpenID Connect Core
            section 5.3.2).
        TokenInvalid: The token has characters that no token has; nothing was sent.
        ProviderNotConfigured: There is neither userinfo_endpoint nor `claims`.
        AddressForbidden: userinfo_endpoint leads where it must not.
        ProviderRefused: The provider does not accept the token.
        ProviderMisbehaved, ProviderUnreachable: The answer is not usable, or none came.
    """
    if provider.identity == "none":
        return describe_no_one(provider)
    if provider.userinfo_endpoint is None or provider.identity in _WITHOUT_USER_INFO:
        if claims is None:
            raise ProviderNotConfigured.lacks(provider.name, "userinfo_endpoint")
        return _profile_of_claims(provider, claims)
    ask = partial(
        _ask, provider, provider.userinfo_endpoint, access_token, claims, is_sign_in=is_sign_in
    )
    try:
        return _ask_again_if_unavailable(ask) if is_sign_in else ask()
    except AuthError as error:
        # An endpoint that must not be called is the operator's to know of.
        if claims is None or isinstance(error, AddressForbidden | IdTokenInvalid):
            raise
        return _fall_back(provider, claims, error)


def _ask_again_if_unavailable(ask: Callable[[], Profile]) -> Profile:
    """Ask, and once more after a failure that came at once and may pass, as at a deployment."""
    began = time.monotonic()
    try:
        return ask()
    except ProviderUnreachable as error:
        is_quick = time.monotonic() - began < _QUICK_SECONDS
        if not is_quick or error.kind is FailureKind.RATE_LIMITED:
            raise
    return ask()


def _ask(
    provider: Provider,
    url: str,
    access_token: Secret,
    claims: Mapping[str, Any] | None,
    *,
    is_sign_in: bool,
) -> Profile:
    raw = only_entry(provider, ask_for_user_info(provider, url, access_token))
    # Some providers have a member `error` in each answer.
    if (error := error_of(raw)) is not None and find_subject(provider, raw) is None:
        raise classify_code(error, raw, provider)
    if claims is not None:
        _check_subject(raw, claims)
    emails = provider.emails_endpoint
    if emails is not None:
        try:
            raw |= _fetch_email(provider, emails, access_token)
        except (ProviderMisbehaved, ProviderUnreachable) as error:
            if not is_sign_in:
                raise
            text = "The addresses of a user of %s could not be fetched: %s"
            _LOG.warning(text, provider.name, error.detail, extra={"provider": provider.name})
    return normalise(provider, _merge_claims(provider, user_claims(claims or {}), raw))


def _check_subject(raw: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    """Make sure that user info is about the id_token's user (OpenID Connect Core section 5.3.2)."""
    subject = subject_text(raw.get("sub"))
    if subject is None:
        raise ProviderMisbehaved("User info has no sub, so it may be about another user.")
    if subject != subject_text(claims["sub"]):
        raise IdTokenInvalid("User info speaks of another subject than the id_token.")


def _profile_of_claims(provider: Provider, claims: Mapping[str, Any]) -> Profile:
    is_token_response = provider.token_answer != "standard" or provider.identity == "token_response"
    source: ProfileSource = "token_response" if is_token_response else "id_token"
    return normalise(provider, user_claims(claims), source)


def _fall_back(provider: Provider, claims: Mapping[str, Any], error: AuthError) -> Profile:
    """Return the profile of the id_token; raise `error` where that does not name the user."""
    try:
        profile = _profile_of_claims(provider, claims)
    except ProviderMisbehaved:
        raise error from None
    text = "User info of %s failed, so the profile is that of the id_token: %s"
    _LOG.warning(text, provider.name, error.detail, extra={"provider": provider.name})
    return profile


def _fetch_email(provider: Provider, url: str, access_token: Secret) -> dict[str, Any]:
    """Return the address of a list, in place of the public one that user info may have.

    Without permission for the list the result is empty, and the public address stays, unverified.
    """
    try:
        answer = ask_beside_user_info(provider, url, access_token)
    except ProviderRefused:
        return {}
    address, is_verified = choose_email(answer, provider.emails)
    found = dict(zip(_EMAIL_PARTS, (address, is_verified), strict=True))
    return {provider.profile[part]: value for part, value in found.items()}


def _merge_claims(
    provider: Provider, claims: Mapping[str, Any], raw: Mapping[str, Any]
) -> dict[str, Any]:
    """Complete user info by the claims of the id_token.

    `email_verified` of the id_token does not count for another address in user info, nor against
    user info's own `email_verified`.
    """
    email, verified = (provider.profile[part].partition(".")[0] for part in _EMAIL_PARTS)
    about_email = {email, verified}
    is_same = email in raw and raw[email] == claims.get(email) and verified not in raw
    if not is_same and not about_email.isdisjoint(raw):
        claims = {name: value for name, value in claims.items() if name not in about_email}
    return {**claims, **raw}
