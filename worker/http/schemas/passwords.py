"""Bodies of the password routes."""

from __future__ import annotations

from typing import Final

from pydantic import ConfigDict, Field

from worker.http.schemas.fields import Body, SecretText

_PASSWORD: Final = "correct horse battery staple"
#: Of the password above, so that the example of a check is true.
_HASH: Final = "$2b$10$53cj06FBAR3PaS.6vrK/weMBOhBztGn2h0ux5AvxqVrrDwA.lpwHi"


class HashPassword(Body):
    """A new password."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"password": _PASSWORD}]})

    password: SecretText = Field(description="At most 72 bytes in UTF-8; bcrypt takes no more.")
    rounds: int | None = Field(
        default=None, description="bcrypt's cost, 10 to 16; config.toml has the default."
    )


class CheckPassword(Body):
    """A password that a user typed, and the hash that is on record."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"password": _PASSWORD, "password_hash": _HASH}]}
    )

    password: SecretText
    password_hash: SecretText = Field(description="A bcrypt hash: $2a$, $2b$ or $2y$.")
