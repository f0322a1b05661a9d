"""Bodies that make and change an app; the answers are shapes of `actors.apps.registration`."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from actors.whole_numbers import Whole
from worker.http.schemas.fields import Body, Subject, Text


class AppChanges(Body):
    """The settings of an app; what is left out, or null, has no bound of the app's own."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"return_to_origins": ["https://shop.example.com"]}]}
    )

    name: Subject | None = Field(default=None, description="What people call it.")
    providers: list[Text] | None = Field(
        default=None, description="The shared providers that it may use; all if left out."
    )
    scopes: list[Text] | None = Field(
        default=None, description="What its API keys may be allowed; all but `admin` if left out."
    )
    return_to_origins: list[Text] | None = Field(
        default=None, description="Where its users' browsers may be sent in the end."
    )
    maximum_rounds: Whole | None = Field(
        default=None, description="The dearest hash that it may ask for, or have checked."
    )
    requests_per_minute: Whole | None = Field(
        default=None, description="How many requests all of its API keys may make."
    )
    allow_login: bool | None = Field(
        default=None, description="Whether a browser without a key may begin a sign-in for it."
    )
    webhook_url: Text | None = Field(
        default=None,
        description="Where its events are posted: https, and public unless "
        "OAUTH_ALLOWED_PRIVATE_HOSTS names the host. For `default`, config.toml's if left out.",
    )
    logo: str | None = Field(
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
