"""Renewal settings: lifetimes, limits, revocation and the meaning of failures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from actors.providers.config.schema.types.fields import Text
from actors.providers.config.schema.types.part import SettingsPart
from actors.whole_numbers import TO_WHOLE

_FailureKind = Literal[
    "grant_dead", "client_misconfigured", "scope", "rate_limited", "transient", "malformed"
]


class RenewalSettings(SettingsPart):
    """How long tokens live, how they are renewed and revoked, and what a failure means."""

    default_lifetime_seconds: Annotated[int, Field(ge=1, le=315_360_000), TO_WHOLE] | None = None
    minimum_renewal_gap_seconds: Annotated[int, Field(ge=0, le=31_536_000), TO_WHOLE] | None = None
    maximum_renewals_per_minute: Annotated[int, Field(ge=1, le=10_000), TO_WHOLE] | None = None
    renewal_margin_seconds: Annotated[int, Field(ge=1, le=315_360_000), TO_WHOLE] | None = None
    single_use_refresh_tokens: bool | None = None
    refresh_token_grace_seconds: Annotated[int, Field(ge=1, le=315_360_000), TO_WHOLE] | None = None
    grant_lifetime_seconds: Annotated[int, Field(ge=1, le=315_360_000), TO_WHOLE] | None = None
    grant_idle_lifetime_seconds: Annotated[int, Field(ge=1, le=315_360_000), TO_WHOLE] | None = None
    renewal: Literal["refresh_token", "access_token", "fb_exchange_token", "none"] | None = None
    failure_kinds: dict[Text, _FailureKind] | None = None
    failure_remedies: dict[Text, Text] | None = None
    revocation: (
        Literal["rfc7009", "github_grant", "facebook_permissions", "slack", "none"] | None
    ) = None
