"""Provider schema: the settings that an operator sends, and what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    create_model,
)

from actors.providers.config.manual_pause import MAX_REASON_LENGTH
from actors.providers.config.schema.body import ProviderSettings
from actors.providers.config.schema.help_texts import describe_schema
from models.oauth.provider_health import HealthState
from worker.http.schemas.components import COMPONENT, REF_TEMPLATE
from worker.http.schemas.fields import Text, check_storable_json
from worker.http.schemas.shapes import DOCUMENTED

_PRESET: Final = {
    "preset": "google",
    "client_id": "1234.apps.googleusercontent.com",
    "client_secret": "what Google gave you",
}
_ISSUER: Final = {
    "issuer": "https://accounts.example.com",
    "client_id": "catfeeder",
    "client_secret": "what the provider gave you",
    "scopes": ["openid", "email", "profile"],
}
_SECRETS: Final = ("client_secret", "client_secrets", "private_key")


@dataclass(frozen=True, slots=True)
class _SettingsSchema:
    """The schema of a body that `actors` validates, so that each mistake is named.

    It is written when the OpenAPI document is first asked for.
    """

    name: str
    meaning: str
    examples: Sequence[Mapping[str, Any]]

    def __get_pydantic_json_schema__(self, _core_schema: Any, _handler: Any) -> dict[str, Any]:
        """Return the schema in place of pydantic's own."""
        schema = {**describe_schema(REF_TEMPLATE), "description": self.meaning}
        return {**schema, COMPONENT: self.name, "examples": list(self.examples)}


#: All settings of a provider: a preset or an issuer fills in what is left out.
ProviderSettingsBody = Annotated[
    dict[str, Any],
    AfterValidator(check_storable_json),
    _SettingsSchema(
        "ProviderSettings",
        "The settings of a provider: a preset or an issuer fills in what is left out.",
        (_PRESET, _ISSUER),
    ),
]
#: The settings to change (RFC 7396): null removes one.
ProviderChangesBody = Annotated[
    dict[str, Any],
    AfterValidator(check_storable_json),
    _SettingsSchema(
        "ProviderChanges",
        "The settings to change (RFC 7396): null removes one.",
        ({"scopes": ["openid", "email"]},),
    ),
]


class CircuitBreaker(BaseModel):
    """Whether renewals with a provider go on."""

    model_config = DOCUMENTED

    state: HealthState
    failures: int = Field(description="How many failed in a row.")
    paused_until: datetime | None = Field(description="null for a pause by hand.")
    since: datetime | None
    kind: str | None = Field(
        description="The kind of the latest failure; `paused_by_operator` for a pause by hand, "
        "which lasts until it is resumed."
    )
    reason: str | None


class Pause(BaseModel):
    """Why a provider is paused."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"reason": "Their maintenance, until Monday."}]},
    )

    reason: Annotated[Text, Field(max_length=MAX_REASON_LENGTH)] | None = Field(
        default=None, description="A sentence for people: apps and operators are shown it."
    )


class _ProviderState(BaseModel):
    """A provider: its settings with those of its preset or issuer, without its secrets."""

    model_config = DOCUMENTED

    name: str
    app: str | None = Field(description="The app whose own provider it is; null for a shared one.")
    preset: str | None
    client_id: str | None
    has_client_secret: bool
    has_earlier_client_secrets: bool
    has_private_key: bool
    renewals: CircuitBreaker
    created_at: datetime
    updated_at: datetime
    token_endpoint_auth_methods_supported: list[str] | None = Field(
        default=None, description="What the issuer publishes (RFC 8414)."
    )


_SETTINGS: Final[dict[str, Any]] = {
    name: (field.annotation, field)
    for name, field in ProviderSettings.model_fields.items()
    if name not in (*_SECRETS, *_ProviderState.model_fields)
}
Provider: Final = create_model(
    "Provider", __base__=_ProviderState, __doc__=_ProviderState.__doc__, **_SETTINGS
)
_items: Any = list[Provider]  # type: ignore[valid-type]
ProviderList: Final = create_model(
    "ProviderList", __config__=DOCUMENTED, __doc__="All providers, by name.", items=(_items, ...)
)


_Words = Annotated[str, Field(max_length=100), AfterValidator(str.strip)]


class CatalogueQuery(BaseModel):
    """The presets to list; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    query: _Words = Field(default="", description="Words of a provider's name.")
    cursor: Text | None = Field(default=None, description="A page's `next_cursor`.")
    limit: int = Field(default=50, ge=1, le=200)
