"""Code exchange (RFC 6749 section 4.1.3): the answer is checked, and its code is posted once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from actors.connections.reading import describe_connection
from actors.errors import AuthError
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.oauth.errors import StateUnknown, StateUsed
from actors.oauth.issuer_checks import check_issuer
from actors.oauth.pending import (
    check_pending,
    find_sign_in,
    pick_callback_metadata,
    undo_second_encoding,
)
from actors.oauth.redemption import FinishedSignIn, redeem
from actors.providers.config.discovery import refresh_if_stale, resolve_provider
from actors.providers.config.lookup import is_provider_name
from actors.providers.errors import ProviderUnreachable
from actors.providers.http.answers import clean_sentence
from actors.providers.http.pools import check_before_send
from actors.providers.protocol.filling import fill_variables
from actors.providers.protocol.provider import Provider
from catfeeder.clock import utc_now
from catfeeder.errors import SealBroken
from catfeeder.queue.requester import is_visible
from catfeeder.results import Connection
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth import sign_in_user_data
from models.oauth.providers import public_name
from models.oauth.sign_ins import TAB_VERIFICATION, StateStatus
from models.oauth.state_hashes import name_sign_in


@dataclass(frozen=True, slots=True)
class CodeAnswer:
    """An authorization response that brings a code (RFC 6749 section 4.1.2)."""

    #: The name of the provider that it claims to be from.
    provider: str
    code: Secret
    state: Secret
    #: The issuer that it names (RFC 9207 section 2).
    iss: str | None = None
    #: What Apple sends about the user beside the code.
    user: Secret | None = None
    #: The further parameters, of which those on the provider's list are kept.
    parameters: Mapping[str, str] = field(default_factory=dict)


def exchange_code(
    provider: str,
    code: Secret,
    state: Secret,
    iss: str | None = None,
    user: Secret | None = None,
    *,
    parameters: Mapping[str, str] | None = None,
) -> Connection:
    """Perform `exchange_code`: return the connection, without its tokens.

    `user` is the form field of that name, which Apple sends beside the code. `iss` is the answer's
    issuer (RFC 9207).

    Raises:
        AuthError, SealBroken: As `finish_sign_in`; the refusal is in the audit trail.
    """
    now = utc_now()
    try:
        answer = CodeAnswer(provider, code, state, iss, user, parameters or {})
        return describe_connection(finish_sign_in(answer, now).connection)
    except (AuthError, SealBroken) as error:
        # A text that is no provider's name may be one that no database stores.
        named = provider if is_provider_name(provider) else None
        with hold_connection():
            kind, sentence = EventKind.SIGN_IN_REFUSED, clean_sentence(error.public_detail)
            reference = name_sign_in(state)
            detail = {"reason": error.code, "message": sentence}
            record(kind, now=now, provider=named, reference=reference, **detail)
        raise


def finish_sign_in(answer: CodeAnswer, now: datetime) -> FinishedSignIn:
    """Exchange a code once, check what comes back, and store the connection.

    Raises:
        StateUnknown, StateExpired, StateUsed, OutcomeUnknown: The state has no pending sign-in.
        IssuerMismatch: The answer is from another issuer.
        IdTokenInvalid: The id_token is missing or not valid.
        CodeInvalid: The text cannot be a code.
        ProviderRefused, ProviderUnreachable, ProviderMisbehaved: The provider's part failed.
    """
    state, (code, iss) = undo_second_encoding(answer.state, answer.code.reveal(), answer.iss)
    pending = _find_pending(answer.provider, state, now)
    # The sign-in's own: it may be an app's, where the name may also be that of a shared one.
    refresh_if_stale(pending.provider, now)
    found = fill_variables(resolve_provider(pending.provider, now), pending.variables)
    check_issuer(found, iss)
    _claim(state, now)
    if answer.user is not None and found.told_once:
        _store_user_data(state, answer.user)
    answer = replace(answer, code=Secret(code or ""), state=state)
    with _end_claim(state):
        return _redeem(found, pending, answer, now)


@contextmanager
def _end_claim(state: Secret) -> Iterator[None]:
    """Record what came of the code of a claimed sign-in.

    A code that was certainly not sent can be redeemed yet, such as when the provider is back.
    """
    sent = threading.Event()
    try:
        with check_before_send(sent.set):
            yield
    except (AuthError, SealBroken) as error:
        may_pass = isinstance(error, ProviderUnreachable) and not sent.is_set()
        _end(state, StateStatus.PENDING if may_pass else StateStatus.FAILED)
        raise
    _end(state, StateStatus.DONE)


def _redeem(
    provider: Provider, pending: TAB_VERIFICATION, answer: CodeAnswer, now: datetime
) -> FinishedSignIn:
    brought = pick_callback_metadata(provider, pending, answer.parameters)
    repeated = _pick_repeated(provider, answer.state, brought)
    return redeem(
        provider, pending, answer.code, answer.user, now, brought=brought, repeated=repeated
    )


def _pick_repeated(provider: Provider, state: Secret, brought: Mapping[str, str]) -> dict[str, str]:
    """Return the callback's parameters that the provider wants in the token request once more."""
    if not provider.callback_parameters:
        return {}
    known = {**brought, "state": state.reveal()}
    return {name: known[name] for name in provider.callback_parameters if name in known}


def _find_pending(provider: str, state: Secret, now: datetime) -> TAB_VERIFICATION:
    sign_in = find_sign_in(state)
    if not is_visible(sign_in.app) or public_name(sign_in.provider) != public_name(provider):
        raise StateUnknown
    check_pending(sign_in, now)
    return sign_in


def _claim(state: Secret, now: datetime) -> None:
    """Take the right to post the code: it is never posted twice, not even after a crash."""
    with hold_connection():
        if not TAB_VERIFICATION.claim(state, now):
            raise StateUsed


def _store_user_data(state: Secret, user: Secret) -> None:
    """Store what comes with the first consent alone, as the exchange may fail."""
    with hold_connection():
        sign_in_user_data.store_user_data(state, user)


def _end(state: Secret, status: StateStatus) -> None:
    with hold_connection():
        if status is StateStatus.PENDING:
            TAB_VERIFICATION.release(state)
        else:
            TAB_VERIFICATION.end(state, status)
