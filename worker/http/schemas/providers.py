"""Bodies of the provider routes; which settings there are is known a layer below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from actors.providers.config.schema import ProviderSettings
from worker.http.schemas.fields import storable_json

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


def _described(*examples: Mapping[str, Any]) -> WithJsonSchema:
    """Show which settings there are; a layer below checks them and names each mistake."""
    meaning = "What each setting means is told in actors/providers/presets.toml."
    schema = ProviderSettings.model_json_schema()
    return WithJsonSchema({**schema, "description": meaning, "examples": list(examples)})


#: All settings of a provider: a preset or an issuer fills in what is left out.
ProviderSettingsBody = Annotated[
    dict[str, Any], AfterValidator(storable_json), _described(_PRESET, _ISSUER)
]
#: The settings to change (RFC 7396): null removes one.
ProviderChangesBody = Annotated[
    dict[str, Any], AfterValidator(storable_json), _described({"scopes": ["openid", "email"]})
]


class ProviderList(BaseModel):
    """All providers, by name."""

    items: list[dict[str, Any]]


class Finding(BaseModel):
    """One thing that was looked at."""

    check: str = Field(examples=["pkce"])
    is_ok: bool
    detail: str
    remedy: str | None = Field(description="What to do where it is not well.")


class ProviderCheck(BaseModel):
    """What there is to say about a provider's settings."""

    provider: str
    is_ok: bool = Field(description="Nothing is to be done.")
    findings: list[Finding]
