"""Bodies of the password routes."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from actors.passwords.schemes import MAXIMUM_ROUNDS
from actors.whole_numbers import Whole
from config import ARGON2_SETS
from worker.http.schemas.fields import Body, SecretText
from worker.http.schemas.rules import excludes, given, state, state_names

_PASSWORD: Final = "correct horse battery staple"
#: Of the password above, so that the example of a check is true.
_HASH: Final = "$2b$10$53cj06FBAR3PaS.6vrK/weMBOhBztGn2h0ux5AvxqVrrDwA.lpwHi"

Scheme = Literal["bcrypt", "argon2id"]
_USER_INPUTS: Final = (
    "What an attacker knows of the user, such as the name, the e-mail address and your product's "
    "name: a password that is made of it is refused. The app's id and name count by themselves."
)
UserInputs = Annotated[
    list[Annotated[str, Field(max_length=255)]],
    Field(
        max_length=20,
    ),
]


class HashPassword(Body):
    """A new password."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"password": _PASSWORD}],
            "allOf": [
                {"not": given("rounds", "argon2")},
                excludes("scheme", "argon2id", "rounds"),
                excludes("scheme", "bcrypt", "argon2"),
            ],
        }
    )

    password: Annotated[SecretText, state(minLength=1)] = Field(
        description="For bcrypt at most 72 bytes in UTF-8, as it takes no more. It is normalised "
        "first (RFC 8265, OpaqueString), and needs a visible character."
    )
    scheme: Scheme | None = Field(
        default=None, description="What to hash with; config.toml has the default."
    )
    rounds: Annotated[Whole, state(minimum=4, maximum=MAXIMUM_ROUNDS)] | None = Field(
        default=None, description="bcrypt's cost, 10 to 16; config.toml has the default."
    )
    argon2: Annotated[str, state_names(ARGON2_SETS)] | None = Field(
        default=None,
        description="The name of a set of Argon2id's parameters, such as `owasp-19-mib`; "
        "config.toml has the default.",
    )
    user_inputs: UserInputs | None = Field(default=None, description=_USER_INPUTS)


class CheckPassword(Body):
    """A password that a user typed, and the hash that is on record."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"password": _PASSWORD, "password_hash": _HASH, "rehash": True}]
        }
    )

    password: SecretText
    password_hash: SecretText | None = Field(
        description="A hash of bcrypt, Argon2, scrypt, PBKDF2 or another of the known forms "
        "(docs/passwords.md). null where there is no such user: a dummy is checked, so that the "
        "time of the answer does not show which users exist."
    )
    rehash: bool = Field(
        default=False,
        description="Return a new `password_hash` too, if the password is right and its hash needs "
        "it. The policy for new passwords is not applied.",
    )
    scheme: Scheme | None = Field(
        default=None, description="What a new hash is made with; config.toml has the default."
    )


class PolicyPassword(Body):
    """A password that a user thinks of."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"password": _PASSWORD}]})

    password: SecretText
    scheme: Scheme | None = Field(
        default=None, description="What it would be hashed with; config.toml has the default."
    )
    user_inputs: UserInputs | None = Field(default=None, description=_USER_INPUTS)
