"""Bodies that make and change an app; the answers are shapes of `actors.apps.registration`."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import ConfigDict, Field

from actors.api_keys import OPERATOR_SCOPES, SCOPES
from actors.passwords.schemes import MAXIMUM_ROUNDS
from actors.whole_numbers import Whole
from worker.http.schemas.fields import Body, NewSubject, Subject, Text
from worker.http.schemas.rules import HTTP_URL, ORIGIN, state, state_names, state_pattern

_SCOPES: Final = [scope for scope in SCOPES if scope not in OPERATOR_SCOPES]
_LOGO: Final = "^data:image/(?:png|jpeg|webp);base64,"


class AppChanges(Body):
    """The settings of an app; what is left out, or null, has no bound of the app's own."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"return_to_origins": ["https://shop.example.com"]}]}
    )

    name: NewSubject | None = Field(default=None, description="What people call it.")
    providers: list[Text] | None = Field(
        default=None, description="The shared providers that it may use; all if left out."
    )
    scopes: list[Annotated[Text, state_names(_SCOPES)]] | None = Field(
        default=None, description="What its API keys may be allowed; all but `admin` if left out."
    )
    return_to_origins: list[Annotated[Text, state_pattern(ORIGIN)]] | None = Field(
        default=None, description="Where its users' browsers may be sent in the end."
    )
    maximum_rounds: Annotated[Whole, state(minimum=4, maximum=MAXIMUM_ROUNDS)] | None = Field(
        default=None, description="The dearest hash that it may ask for, or have checked."
    )
    requests_per_minute: Annotated[Whole, state(minimum=1, maximum=1_000_000)] | None = Field(
        default=None, description="How many requests all of its API keys may make."
    )
    allow_login: bool | None = Field(
        default=None, description="Whether a browser without a key may begin a sign-in for it."
    )
    webhook_url: Annotated[Text, state_pattern(HTTP_URL)] | None = Field(
        default=None,
        description="Where its events are posted: https, and public unless "
        "OAUTH_ALLOWED_PRIVATE_HOSTS names the host. For `default`, config.toml's if left out.",
    )
    logo: Annotated[str, state(pattern=_LOGO, maxLength=32768)] | None = Field(
        default=None,
        description="What the pages of its users show beside its name: a `data:` URL of at most "
        "32768 characters, of a PNG, JPEG or WebP image in base64.",
    )


class NewApp(AppChanges):
    """An app to be made."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"id": "web-shop", "return_to_origins": ["https://shop.example.com"]},
            ]
        }
    )

    id: Subject = Field(
        description="1 to 32 of a-z, 0-9 and -, not first; it never changes.",
        json_schema_extra={"pattern": "^[a-z0-9][a-z0-9-]{0,31}$"},
    )
