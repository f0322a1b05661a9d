"""Circuit breaker by hand: an operator pauses a provider's renewals, and resumes them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.config.breaker_outcomes import resume
from actors.providers.config.lookup import provider_row
from actors.providers.config.settings import own_or_shared_key
from models.db.database import transaction
from models.oauth.provider_health import PAUSED_BY_OPERATOR, TAB_PROVIDER_HEALTH

#: In characters.
MAX_REASON_LENGTH: Final = 200
_NO_REASON: Final = "No reason was given."


def pause_provider(name: str, reason: str | None, now: datetime) -> None:
    """Pause the renewals of a provider until they are resumed by hand; once paused, do nothing.

    Neither a probe nor a change of the settings ends it. `reason` is a sentence for people.

    Raises:
        ProviderUnknown: There is no such provider.
    """
    with transaction():
        key = provider_row(own_or_shared_key(name)).name
        TAB_PROVIDER_HEALTH.ensure(key)
        why = reason or _NO_REASON
        if TAB_PROVIDER_HEALTH.hold(key, why, now):
            kind = PAUSED_BY_OPERATOR
            record(EventKind.PROVIDER_PAUSED, now=now, provider=key, failure=kind, reason=why)


def resume_provider(name: str, now: datetime) -> None:
    """End the pause of a provider, by whatever it was made; what waited is due at once.

    Raises:
        ProviderUnknown: There is no such provider.
    """
    with transaction():
        key = provider_row(own_or_shared_key(name)).name
        TAB_PROVIDER_HEALTH.ensure(key)
        resume(TAB_PROVIDER_HEALTH.find(key), now)
