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

    password: SecretText = Field(
        description="At most 72 bytes in UTF-8, as bcrypt takes no more. It is normalised first "
        "(RFC 8265, OpaqueString), and needs a visible character."
    )
    rounds: int | None = Field(
        default=None, description="bcrypt's cost, 10 to 16; config.toml has the default."
    )


class CheckPassword(Body):
    """A password that a user typed, and the hash that is on record."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"password": _PASSWORD, "password_hash": _HASH, "rehash": True}]
        }
    )

    password: SecretText
    password_hash: SecretText | None = Field(
        description="A bcrypt hash: $2a$, $2b$ or $2y$. null where there is no such user: a dummy "
        "is checked, so that the time of the answer does not show which users exist."
    )
    rehash: bool = Field(
        default=False,
        description="Return a new `password_hash` too, if the password is right and its hash needs "
        "it. The policy for new passwords is not applied.",
    )
