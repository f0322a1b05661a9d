"""One attempt under a lease: journaled before it is sent, its answer kept before it is read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from actors.errors import AuthError, FailureKind, OutcomeUnknown
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.config.breaker import apply_breaker, check_not_paused
from actors.providers.errors import ProviderUnreachable
from actors.providers.http.exchanges.late_answers import LateAnswer
from actors.providers.http.pools import check_before_send
from actors.providers.protocol.client_authentication.methods import list_clients
from actors.providers.protocol.token_endpoint import TokenResponse
from actors.providers.protocol.tokens.kept import is_derived
from actors.renewal.kept_answers import AnswerKeeper
from actors.renewal.limits import LIMITS, RenewalLimits, lease_end
from actors.renewal.request import RenewalRequest
from catfeeder.clock import rfc3339, utc_now
from catfeeder.errors import CatFeederError, SealBroken
from catfeeder.sealing import Secret
from config import current_settings
from models.db.database import transaction
from models.oauth.grants import Grant
from models.renewal.grouped_writes import begin_first_attempt
from models.renewal.journal import TAB_ATTEMPTS, Attempt, begin_renewal, begin_retry, digest_token
from models.renewal.leases import Lease, extend, keep_refresh_token

#: A renewal that is interrupted this often in a row is interrupted by what the provider answers.
_MAX_TRIES: Final = 5


class RenewalDelayed(AuthError):
    """Raised in place of sending a token whose lease may run out during the call."""

    message = "The renewal was held up for so long that another may begin; nothing was sent."

    permanent = False


class Renewal:
    """A renewal that has begun; `attempt` is its state in the journal."""

    def __init__(self, request: RenewalRequest, attempt: Attempt, limits: RenewalLimits) -> None:
        self._request = request
        self.attempt = attempt
        self.keeper = AnswerKeeper(attempt.lease, limits.answer_seconds)
        self.late = LateAnswer()
        #: Set once it is known whether a late answer comes: the lease is prolonged no more.
        self.is_answered = threading.Event()
        self._lease_guard = threading.Lock()

    def obtain_grant(self, now: datetime) -> Grant:
        """Return the grant of the answer that was kept, or else ask the provider for one.

        Raises:
            ProviderPaused: The provider is not to be asked now.
            RenewalDelayed: Another renewal may begin before the provider answers.
            IdentityRefused: The new tokens are another user's.
            OutcomeUnknown: Each of several tries was interrupted before its answer was stored.
            ProviderRefused, ProviderMisbehaved, ProviderUnreachable: The provider's part failed.
        """
        tokens = self._read_kept_answer(now)
        if tokens is None:
            tokens = self._ask_provider(now)
        return self._request.build_grant(tokens, self.attempt.started_at)

    def _ask_provider(self, now: datetime) -> TokenResponse:
        if self.attempt.tries > _MAX_TRIES:
            raise OutcomeUnknown("The renewal was cut off again and again; sign in again.")
        request = self._request
        with (
            apply_breaker(request.provider, request.health, request.row.id, now),
            check_before_send(partial(check_time_left, self.attempt.lease)),
            self._expect_late_answer(),
        ):
            return self._send_within_grace()

    def _send_within_grace(self) -> TokenResponse:
        """Send the token, and once more where the provider still accepts it after use."""
        try:
            return self._request.send(self.keeper.keep)
        except ProviderUnreachable as error:
            if not error.is_outcome_unknown or not self._is_in_grace():
                raise
        self._begin_retry()
        return self._request.send(self.keeper.keep)

    def _is_in_grace(self) -> bool:
        if self.late.is_expected or self.attempt.is_retry:
            return False
        # The grace begins when the provider renews, which is no earlier than the renewal began.
        grace = timedelta(seconds=self._request.provider.refresh_token_grace_seconds)
        return utc_now() - self.attempt.started_at < grace

    def _begin_retry(self) -> None:
        with transaction():
            attempt = TAB_ATTEMPTS.find(self._request.row.id)
            if attempt is not None:
                digests = digest_token(self._request.token)
                self.attempt = begin_retry(self.attempt.lease, attempt, digests, utc_now())
                _record_retry(self._request, self.attempt, utc_now())

    def _expect_late_answer(self) -> AbstractContextManager[None]:
        # A refresh token may be spent by the request. Facebook's access token is not.
        is_wanted = self._request.provider.renewal == "refresh_token"
        has_time = current_settings().oauth.late_answer_seconds > 0
        return self.late.expect() if is_wanted and has_time else nullcontext()

    def receive_late_grant(self) -> Grant:
        """Wait for an answer that did not come in time, and return its grant.

        Raises:
            ProviderRefused, ProviderMisbehaved, ProviderUnreachable: The provider's part failed.
        """
        try:
            response = self.late.read(current_settings().oauth.late_answer_seconds)
        finally:
            with self._lease_guard:
                self.is_answered.set()
        tokens = self._request.receive(response, self.keeper.keep)
        return self._request.build_grant(tokens, self.attempt.started_at)

    def prolong_lease(self) -> None:
        """Hold the connection for another `lease_seconds`, unless the answer has come.

        Raises:
            DatabaseUnreachable: The database is away.
        """
        with self._lease_guard:
            if self.is_answered.is_set():
                return
            with transaction():
                lease = extend(self.attempt.lease, lease_end(utc_now()))
            if lease is not None:
                self.attempt = replace(self.attempt, lease=lease)

    def _read_kept_answer(self, now: datetime) -> TokenResponse | None:
        """Return the tokens of the kept answer; None where the provider has to be asked (again)."""
        answered = self.attempt.answered
        if answered is None:
            return None
        try:
            answer = TAB_ATTEMPTS.answer.open(answered) or Secret("")
            if not is_derived(answer):
                return self._request.read(answer, self.attempt.started_at)
            self._adopt_refresh_token(answer)
        except (AuthError, SealBroken) as error:
            if self._is_final(error):
                raise
        # Sending the token again erases the kept answer, so the call must be allowed now.
        check_not_paused(self._request.provider.name, now)
        digests = digest_token(self._request.token)
        with transaction():
            self.attempt = begin_retry(self.attempt.lease, answered, digests, now)
            _record_retry(self._request, self.attempt, now)
        return None

    def _adopt_refresh_token(self, answer: Secret) -> None:
        """Take over the refresh token of an answer whose access token was derived for a target.

        The process that asked was interrupted. The connection's own token is asked for next.
        """
        with suppress(AuthError):
            new = self._request.read(answer, self.attempt.started_at).refresh_token
            if new is not None and new.reveal() != self._request.token.reveal():
                with transaction():
                    keep_refresh_token(self.attempt.lease, new)
                self._request = replace(self._request, token=new)

    def _is_final(self, error: CatFeederError) -> bool:
        """Return whether the answer decides what became of the token."""
        if not isinstance(error, AuthError) or error.is_outcome_unknown:
            return False
        # Refused with one client secret, the token was sent with the next, without an answer.
        has_more_clients = len(list_clients(self._request.provider)) > 1
        return not (has_more_clients and error.kind is FailureKind.CLIENT_MISCONFIGURED)


def check_time_left(lease: Lease) -> None:
    """Refuse to send a token unless the whole call fits into the rest of its lease.

    The call takes less than half a lease. A frozen process, a frozen database or a slow name
    server uses the rest up.
    """
    whole = timedelta(seconds=current_settings().oauth.lease_seconds)
    if lease.until - utc_now() < whole / 2:
        raise RenewalDelayed


def begin(
    request: RenewalRequest, lease: Lease, now: datetime, limits: RenewalLimits = LIMITS
) -> Renewal | None:
    """Prolong the lease and journal that a token is about to be sent.

    Returns:
        The renewal; None when the lease was lost meanwhile.
    """
    digests = digest_token(request.token)
    attempt = begin_first_attempt(lease, lease_end(now), digests[0], now)
    if attempt is None:
        attempt = _begin_later_try(request, lease, digests, now)
    return None if attempt is None else Renewal(request, attempt, limits)


def _begin_later_try(
    request: RenewalRequest, lease: Lease, digests: Sequence[str], now: datetime
) -> Attempt | None:
    with transaction():
        attempt = begin_renewal(lease, lease_end(now), digests, now)
        if attempt is not None and attempt.answered is None and attempt.is_retry:
            _record_retry(request, attempt, now)
    return attempt


def _record_retry(request: RenewalRequest, attempt: Attempt, now: datetime) -> None:
    """Record that the token is sent again, so the provider may see it twice."""
    record(EventKind.RENEWAL_RETRIED, now=now, connection=request.row, tries=attempt.tries)


def describe_spent_token(attempt: Attempt) -> OutcomeUnknown:
    """Return the error for a token that the provider calls dead after an interrupted renewal."""
    return OutcomeUnknown(
        "A renewal was cut off before its answer was stored, and the provider honours the refresh "
        f"token no more; it was sent again at {rfc3339(attempt.started_at)}. Sign in again."
    )
