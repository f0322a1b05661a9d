"""Plan of an imported connection: when it is renewed first, and when its grant ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from actors.connections.forecasts import plan_warning
from actors.connections.planning import compute_fraction, plan_renewal
from actors.moving.records import ImportRecord
from actors.providers.config.lookup import merge_metadata, provider_row
from config import current_settings
from models.oauth.grants import GrantEnd


@dataclass(frozen=True, slots=True)
class RenewalRules:
    """The settings of a provider that decide when its tokens are renewed, and what they need."""

    #: The key of its row.
    provider: str
    renewal: str
    margin: timedelta | None
    minimum_gap: timedelta
    is_late: bool
    grant_lifetime: timedelta | None
    idle_lifetime: timedelta | None
    default_lifetime: timedelta | None
    #: All settings, as they say what variables there are, and whether users have names.
    settings: Mapping[str, Any] = field(default_factory=dict)


def read_rules(provider: str) -> RenewalRules:
    """Return the rules of the provider of that name.

    Raises:
        ProviderUnknown: There is none that the acting app may use.
        ProviderTampered: Something else has written its row.
    """
    row = provider_row(provider)
    settings = merge_metadata(row)

    def seconds(name: str) -> timedelta | None:
        value = settings.get(name)
        return None if value is None else timedelta(seconds=value)

    return RenewalRules(
        provider=row.name,
        renewal=settings.get("renewal", "refresh_token"),
        margin=seconds("renewal_margin_seconds"),
        minimum_gap=seconds("minimum_renewal_gap_seconds") or timedelta(),
        is_late=bool(settings.get("single_use_refresh_tokens")),
        grant_lifetime=seconds("grant_lifetime_seconds"),
        idle_lifetime=seconds("grant_idle_lifetime_seconds"),
        default_lifetime=seconds("default_lifetime_seconds"),
        settings=settings,
    )


def plan_first_renewal(
    rules: RenewalRules, record: ImportRecord, connection_id: str, now: datetime
) -> datetime | None:
    """Return when an imported connection is renewed first, at a time of its own.

    A usable token is renewed by its usual plan, or up to `import_spread_seconds` before; an unknown
    end as if it had been issued now. Without a usable token it is within that time from now on.
    """
    spread = timedelta(seconds=current_settings().oauth.import_spread_seconds)
    fraction = compute_fraction(connection_id)
    last_chance = record.refresh_token_expires_at
    if record.access_token is None:
        if last_chance is not None:
            spread = min(spread, max((last_chance - now) / 2, timedelta()))
        return now + spread * fraction
    if rules.renewal == "none" or not _is_renewable(rules, record):
        return record.expires_at
    planned = plan_renewal(
        record.expires_at or now + _assume_lifetime(rules),
        connection_id,
        now,
        usual_margin=rules.margin,
        is_late=rules.is_late,
        last_chance=last_chance,
    )
    planned = max(planned, now)
    return max(planned - min(planned - now, spread) * fraction, now + rules.minimum_gap)


def _is_renewable(rules: RenewalRules, record: ImportRecord) -> bool:
    return rules.renewal != "refresh_token" or record.refresh_token is not None


def _assume_lifetime(rules: RenewalRules) -> timedelta:
    assumed = timedelta(seconds=current_settings().oauth.assumed_lifetime_seconds)
    return rules.default_lifetime or assumed


def forecast_end(rules: RenewalRules, record: ImportRecord, now: datetime) -> GrantEnd:
    """Return when the grant ends for good, if that is stated or follows from the settings."""
    if rules.renewal != "refresh_token" or record.refresh_token is None:
        expires_at = record.expires_at
    elif record.refresh_token_expires_at is not None:
        expires_at = record.refresh_token_expires_at
    elif rules.grant_lifetime is not None:
        expires_at = (record.created_at or now) + rules.grant_lifetime
    else:
        expires_at = None if rules.idle_lifetime is None else now + rules.idle_lifetime
    return GrantEnd(expires_at, plan_warning(expires_at, now))
