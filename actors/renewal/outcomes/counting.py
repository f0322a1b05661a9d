"""Counts of renewals by provider and outcome, for the metrics of the whole service."""

from __future__ import annotations

from actors.connections.errors import ReauthorizationRequired
from actors.errors import AuthError
from actors.providers.errors import ProviderPaused
from actors.telemetry.metrics import LEASE_LOSSES, RENEWALS
from actors.telemetry.series import label_provider
from catfeeder.errors import CatFeederError


def count_grant(provider: str, *, is_stored: bool) -> None:
    """Count a renewal whose grant was stored, or came too late for its lease."""
    if is_stored:
        RENEWALS.inc(label_provider(provider), "renewed")
    else:
        count_lost_lease(provider, "store")


def count_lost_lease(provider: str, stage: str) -> None:
    """Count a renewal whose connection another one has taken over."""
    LEASE_LOSSES.inc(stage)
    RENEWALS.inc(label_provider(provider), "lease_lost")


def count_failure(provider: str, failure: CatFeederError | None) -> None:
    """Count a renewal without a grant; `failure` is what `record_failure` has returned."""
    if failure is None:
        count_lost_lease(provider, "store")
    else:
        RENEWALS.inc(label_provider(provider), _name_outcome(failure))


def _name_outcome(failure: CatFeederError) -> str:
    if isinstance(failure, ReauthorizationRequired):
        return "reauthorization_required"
    if isinstance(failure, ProviderPaused):
        return "paused"
    kind = failure.kind if isinstance(failure, AuthError) else None
    return kind.value if kind is not None else failure.code
