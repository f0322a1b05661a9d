"""What a provider's answer must fit before anything is done with it: the sign-in that has begun."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from actors.audit import EventKind, record
from actors.errors import OutcomeUnknown
from actors.oauth.errors import (
    BrowserMismatch,
    RedirectMismatch,
    StateExpired,
    StateUnknown,
    StateUsed,
)
from actors.providers.config.lookup import find_provider
from actors.providers.protocol.redirect_uris import own_redirect_uri
from catfeeder.sealing import Secret
from models.db.database import hold_connection, transaction
from models.oauth.sign_ins import TAB_VERIFICATION, StateStatus


def find_sign_in(state: Secret) -> TAB_VERIFICATION:
    """Return the sign-in that a state was made for, however far it has come.

    Raises:
        StateUnknown: There is none.
    """
    if not state.reveal().isascii():
        raise StateUnknown
    with hold_connection():
        row = TAB_VERIFICATION.find(state)
    if row is None:
        raise StateUnknown
    return row


def check_waiting(sign_in: TAB_VERIFICATION, now: datetime) -> None:
    """Make sure that a sign-in still waits for its answer.

    Raises:
        StateUsed, StateExpired, OutcomeUnknown: It does not.
    """
    if sign_in.status == StateStatus.EXCHANGING:
        raise OutcomeUnknown
    if sign_in.status != StateStatus.PENDING:
        raise StateUsed
    if sign_in.expires_at <= now:
        raise StateExpired


def check_arrival(
    sign_in: TAB_VERIFICATION, *, provider_in_path: str | None, browser: Secret | None
) -> None:
    """Make sure that an answer came the way that it was to come, by the browser that began.

    Args:
        sign_in: The sign-in of the answer's state.
        provider_in_path: The provider that the redirect URI names at which the answer came.
        browser: What the browser was given when it began, if it still has it.

    Raises:
        RedirectMismatch: It came to another redirect URI (a mix-up, RFC 9700 section 4.4).
        BrowserMismatch: Another browser brought it (login CSRF, RFC 9700 section 4.7).
    """
    has_own_path = sign_in.redirect_uri == own_redirect_uri(sign_in.provider)
    if provider_in_path != (sign_in.provider if has_own_path else None):
        raise RedirectMismatch
    if not sign_in.accepts_browser(browser):
        raise BrowserMismatch


def remember_told(sign_in: TAB_VERIFICATION, state: Secret, user: Secret) -> None:
    """Keep what the provider tells of the user once, where an app redeems the code.

    Raises:
        ProviderUnknown, ProviderNotConfigured, DiscoveryNeeded: As `find_provider`.
    """
    if find_provider(sign_in.provider).told_once:
        TAB_VERIFICATION.store_user_data(state, user)


def record_refusal(
    reason: str,
    sign_in: TAB_VERIFICATION | None,
    now: datetime,
    provider: str | None = None,
    **detail: Any,
) -> None:
    """Note that an answer, or the wish to begin with a provider, was refused, and why."""
    with hold_connection():
        record(
            EventKind.SIGN_IN_REFUSED,
            now=now,
            provider=sign_in.provider if sign_in else provider,
            subject=(sign_in.subject or None) if sign_in else None,
            reason=reason,
            **detail,
        )


def end_refused(state: Secret, sign_in: TAB_VERIFICATION, error: str | None, now: datetime) -> None:
    """End a sign-in that the provider has answered with an error: its state serves no more."""
    with transaction():
        if TAB_VERIFICATION.claim(state, now):
            TAB_VERIFICATION.end(state, StateStatus.FAILED)
            told = {} if error is None else {"error": error}
            record_refusal("sign_in_refused", sign_in, now, **told)
