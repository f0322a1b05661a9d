"""Authorization responses (RFC 6749 section 4.1.2): checked against the pending sign-in."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

from actors.errors import OutcomeUnknown
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.oauth.errors import (
    BrowserMismatch,
    RedirectMismatch,
    StateExpired,
    StateUnknown,
    StateUsed,
)
from actors.oauth.refusals import ProviderError
from actors.providers.config.lookup import find_provider
from actors.providers.http.members import OF_CALLBACKS, pick_members, spell_names
from actors.providers.protocol.filling import list_members
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.redirect_uris import own_redirect_uri
from actors.providers.templates.places import Place
from catfeeder.queue.requester import act_for, acting_app
from catfeeder.sealing import Secret
from models.db.database import hold_connection, transaction
from models.oauth import sign_in_user_data
from models.oauth.providers import public_name
from models.oauth.sign_ins import TAB_VERIFICATION, StateStatus

_LOG = logging.getLogger(__name__)
_MAX_ENCODINGS: Final = 3


def find_sign_in(state: Secret) -> TAB_VERIFICATION:
    """Return the sign-in that a state was issued for, whatever its status.

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


def undo_second_encoding(state: Secret, *others: str | None) -> tuple[Secret, list[str | None]]:
    """Return a state as it was sent, and what came beside it, if both are encoded once more.

    Some providers and proxies do that. No state of ours holds a percent sign.
    """
    text, values = state.reveal(), list(others)
    for _ in range(_MAX_ENCODINGS):
        if "%" not in text:
            break
        text, values = unquote(text), [value and unquote(value) for value in values]
    return Secret(text), values


def check_pending(sign_in: TAB_VERIFICATION, now: datetime) -> None:
    """Make sure that a sign-in still awaits its answer.

    Raises:
        OutcomeUnknown: Its code is being exchanged, or the exchange was cut off.
        StateUsed: It has ended.
        StateExpired: It has taken too long.
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
    """Make sure that an answer came to its redirect URI, by the browser that began the sign-in.

    Args:
        sign_in: The sign-in of the answer's state.
        provider_in_path: The provider that the redirect URI names at which the answer came.
        browser: The secret of the browser's cookie, if it has one.

    Raises:
        RedirectMismatch: The redirect URI is another's (a mix-up, RFC 9700 section 4.4).
        BrowserMismatch: The browser is another (login CSRF, RFC 9700 section 4.7).
    """
    name = public_name(sign_in.provider)
    has_own_path = sign_in.redirect_uri == own_redirect_uri(name)
    if provider_in_path != (name if has_own_path else None):
        raise RedirectMismatch
    if not sign_in.accepts_browser(browser):
        raise BrowserMismatch


def store_user_data(sign_in: TAB_VERIFICATION, state: Secret, user: Secret) -> None:
    """Store what Apple sends about the user at the first consent alone.

    An app that redeems the code itself does not pass it on.

    Raises:
        ProviderUnknown, ProviderNotConfigured, DiscoveryNeeded: As `find_provider`.
    """
    if find_provider(sign_in.provider).told_once:
        sign_in_user_data.store_user_data(state, user)


def store_callback_metadata(
    sign_in: TAB_VERIFICATION, state: Secret, parameters: Mapping[str, str]
) -> dict[str, str]:
    """Store the further parameters of a callback that are kept, and return them.

    An app that redeems the code itself need not send them back.

    Raises:
        ProviderUnknown, ProviderNotConfigured, DiscoveryNeeded: As `find_provider`.
    """
    picked = pick_callback_metadata(find_provider(sign_in.provider), sign_in, parameters)
    if picked and sign_in.is_relayed:
        TAB_VERIFICATION.store_callback_parameters(state, picked)
    return picked


def find_callback_names(sign_in: TAB_VERIFICATION) -> tuple[str, str]:
    """Return the parameters that the state and the code of a sign-in come back by.

    Raises:
        ProviderUnknown, ProviderNotConfigured, DiscoveryNeeded: As `find_provider`.
    """
    provider = find_provider(sign_in.provider)
    return provider.parameter_names.get("state", "state"), provider.code_parameter


def pick_callback_metadata(
    provider: Provider, sign_in: TAB_VERIFICATION, parameters: Mapping[str, str]
) -> dict[str, str]:
    """Return the further parameters of a callback that are kept, with those stored before."""
    usual = (
        spell_names(parameters, OF_CALLBACKS) if provider.metadata is None else provider.metadata
    )
    names = dict.fromkeys((*list_members(provider), *usual, *provider.callback_parameters))
    # A browser brings them: a host that tokens go to is the provider's own word alone.
    of_hosts = list_members(provider, Place.ORIGIN, Place.HOST)
    picked = pick_members(parameters, [name for name in names if name not in of_hosts])
    return {**(sign_in.callback_parameters or {}), **picked}


def record_refusal(
    reason: str,
    sign_in: TAB_VERIFICATION | None,
    now: datetime,
    provider: str | None = None,
    **detail: Any,
) -> None:
    """Write the event of a sign-in that was refused at its beginning or at its end.

    `reason` is the code of the error. `provider` is used where there is no `sign_in` yet.
    """
    with hold_connection(), act_for(sign_in.app if sign_in else acting_app.get()):
        record(
            EventKind.SIGN_IN_REFUSED,
            now=now,
            provider=sign_in.provider if sign_in else provider,
            subject=(sign_in.subject or None) if sign_in else None,
            reference=sign_in.reference if sign_in else None,
            reason=reason,
            **detail,
        )


def fail_sign_in(
    state: Secret, sign_in: TAB_VERIFICATION, error: ProviderError, now: datetime
) -> None:
    """End a sign-in that the provider refused (RFC 6749 section 4.1.2.1)."""
    with transaction():
        if TAB_VERIFICATION.claim(state, now):
            TAB_VERIFICATION.end(state, StateStatus.FAILED)
            record_provider_error(error, sign_in, now)


def record_provider_error(
    error: ProviderError,
    sign_in: TAB_VERIFICATION | None,
    now: datetime,
    provider: str | None = None,
) -> None:
    """Write the event of a sign-in that the provider refused, and a line for the operator."""
    detail = {"error": error.error, "error_description": error.description}
    known = {name: value for name, value in detail.items() if value is not None}
    record_refusal("sign_in_refused", sign_in, now, provider, **known)
    name = sign_in.provider if sign_in else provider
    level = logging.INFO if error.is_users_choice else logging.WARNING
    _LOG.log(
        level,
        "A sign-in with %s: %s",
        name or "a provider",
        error.sentence,
        extra=_build_extra(name),
    )


def _build_extra(provider: str | None) -> dict[str, str]:
    return {} if provider is None else {"provider": provider}


def find_latest_of_browser(
    cookies: Sequence[tuple[str, Secret]], provider: str | None, now: datetime
) -> TAB_VERIFICATION | None:
    """Return the latest sign-in that a browser has begun and not ended.

    `cookies` are the first digits of the hash of a state, each with the browser's secret.
    """
    with hold_connection():
        rows = TAB_VERIFICATION.find_by_hash_prefixes([digits for digits, _ in cookies])
    secrets = [secret for _, secret in cookies]
    return next(
        (
            row
            for row in rows
            if row.status == StateStatus.PENDING
            and row.expires_at > now
            and provider in (None, row.provider)
            and row.browser_hash is not None
            and any(map(row.accepts_browser, secrets))
        ),
        None,
    )
