"""One renewal: begun in the journal, sent once, its answer kept before it is read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from actors.audit import EventKind, record
from actors.errors import AuthError, FailureKind, OutcomeUnknown
from actors.providers.config.breaker import apply_breaker, check_not_paused
from actors.providers.http.pools import check_before_send
from actors.providers.protocol.token_endpoint import TokenResponse
from actors.renewal.kept_answers import AnswerKeeper
from actors.renewal.request import RenewalRequest
from actors.renewal.sweep import lease_end
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, SealBroken
from catfeeder.sealing import Secret
from config import current_settings
from models.db.database import transaction
from models.oauth.grants import Grant
from models.renewal.grouped_writes import begin_first_attempt
from models.renewal.journal import TAB_ATTEMPTS, Attempt, begin_renewal, begin_retry, digest_token
from models.renewal.leases import Lease

#: Who is cut off this often in a row is cut off by what the provider answers.
_MOST_TRIES: Final = 5


class RenewalDelayed(AuthError):
    """The renewal was held up for so long that another may begin; nothing was sent."""

    message = "The renewal was held up for so long that another may begin; nothing was sent."

    permanent = False


class Renewal:
    """A renewal that has begun; `attempt` is where it stands."""

    def __init__(self, request: RenewalRequest, attempt: Attempt) -> None:
        """Take what is asked for, and how far the journal says that it has come."""
        self._request = request
        self.attempt = attempt
        self.keeper = AnswerKeeper(attempt.lease)

    def grant(self, now: datetime) -> Grant:
        """Return what the provider grants: by an answer that was kept, or else by asking it.

        Raises:
            ProviderPaused: It is not to be asked now.
            RenewalDelayed: It may not answer before somebody else would ask it.
            OutcomeUnknown: It was asked too often without anybody living to see the answer.
            ProviderRefused, ProviderMisbehaved, ProviderUnreachable: The provider's part failed.
        """
        tokens = self._kept_tokens(now)
        if tokens is None:
            if self.attempt.tries > _MOST_TRIES:
                raise OutcomeUnknown("The renewal was cut off again and again; sign in again.")
            request, lease = self._request, self.attempt.lease
            with (
                apply_breaker(request.provider, request.health, request.row.id, now),
                check_before_send(partial(_check_time_left, lease)),
            ):
                tokens = request.send(self.keeper.keep)
        return self._request.granted(tokens, self.attempt.started_at)

    def _kept_tokens(self, now: datetime) -> TokenResponse | None:
        """Return the tokens of the kept answer; None where the provider has to be asked (again)."""
        answered = self.attempt.answered
        if answered is None:
            return None
        try:
            answer = TAB_ATTEMPTS.answer.open(answered)
            return self._request.read(answer or Secret(""))
        except (AuthError, SealBroken) as error:
            if self._is_final(error):
                raise
        # The answer goes when the token is sent again, so that must be about to happen.
        check_not_paused(self._request.provider.name, now)
        digests = digest_token(self._request.token)
        with transaction():
            self.attempt = begin_retry(self.attempt.lease, answered, digests, now)
            _record_retry(self._request, self.attempt, now)
        return None

    def _is_final(self, error: CatFeederError) -> bool:
        """Tell whether an answer says what became of the token."""
        if not isinstance(error, AuthError) or error.is_outcome_unknown:
            return False
        # Refused by one client secret, it was sent with the next, and that answer never came.
        has_more_secrets = bool(self._request.provider.earlier_client_secrets)
        return not (has_more_secrets and error.kind is FailureKind.CLIENT_MISCONFIGURED)


def _check_time_left(lease: Lease) -> None:
    """Refuse to send a token unless the whole call fits into what is left of its lease.

    It takes less than half of one. A process that was frozen, or a database that was, or a name
    server that took its time, uses it up.
    """
    whole = timedelta(seconds=current_settings().oauth.lease_seconds)
    if lease.until - utc_now() < whole / 2:
        raise RenewalDelayed


def begin(request: RenewalRequest, lease: Lease, now: datetime) -> Renewal | None:
    """Write down that a token is about to be sent; None when the lease was lost meanwhile."""
    digests = digest_token(request.token)
    first = begin_first_attempt(lease, lease_end(now), digests[0], now)
    if first is not None:
        return Renewal(request, first)
    return _begin_later_try(request, lease, digests, now)


def _begin_later_try(
    request: RenewalRequest, lease: Lease, digests: Sequence[str], now: datetime
) -> Renewal | None:
    with transaction():
        attempt = begin_renewal(lease, lease_end(now), digests, now)
        if attempt is None:
            return None
        if attempt.answered is None and attempt.is_retry:
            _record_retry(request, attempt, now)
    return Renewal(request, attempt)


def _record_retry(request: RenewalRequest, attempt: Attempt, now: datetime) -> None:
    """Tell that the provider may come to see a token twice: it is sent again."""
    record(EventKind.RENEWAL_RETRIED, now=now, connection=request.row, tries=attempt.tries)
