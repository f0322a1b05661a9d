"""The errors of passwords: what bcrypt cannot take, and what the policy refuses."""

from __future__ import annotations

from typing import Final

from catfeeder.errors import CatFeederError

#: bcrypt reads no further.
MAXIMUM_BYTES: Final = 72


class PasswordRefused(CatFeederError, ValueError):
    """The root of the errors of passwords; also a ValueError, as the seed's users may catch."""

    message = "The password cannot be used."


class PasswordTooLong(PasswordRefused):
    """Raised on hashing: bcrypt would cut off the end of the password unnoticed."""

    message = "The password is too long for bcrypt."

    def __init__(self, length: int) -> None:
        super().__init__(
            f"The password has {length} bytes in UTF-8; bcrypt would ignore all but the first "
            f"{MAXIMUM_BYTES}, so a longer one cannot be hashed."
        )


class PasswordHasNul(PasswordRefused):
    """Raised on hashing and on checking: bcrypt reads a C string."""

    message = (
        'The password holds a NUL byte, where bcrypt ends it: "ab", NUL, "ab" would pass for "ab".'
    )


class PasswordNotText(PasswordRefused):
    """Raised for a lone surrogate."""

    message = "The password holds half of a surrogate pair, which is no character and has no UTF-8."


class PasswordBlank(PasswordRefused):
    """Raised on hashing a new password that nobody can see."""

    message = (
        "The password has no visible character: spaces and zero-width characters alone are refused."
    )


class PasswordHashInvalid(PasswordRefused):
    """Raised on checking against text that is no bcrypt hash of a supported kind."""

    message = (
        "The password hash is not one of bcrypt: 60 characters that begin with $2a$, $2b$ or $2y$."
    )


class PasswordHashTooSlow(PasswordRefused):
    """Raised on checking against a hash that would keep a core busy for minutes or hours."""

    message = "The password hash has too many rounds."

    def __init__(self, maximum: int) -> None:
        super().__init__(
            f"The password hash has more than {maximum} rounds; each one more doubles the time of "
            "a check."
        )


class RoundsOutOfRange(PasswordRefused):
    """Raised on hashing with too few rounds to be safe, or too many to wait for."""

    message = "The number of rounds cannot be used."

    def __init__(self, minimum: int, maximum: int) -> None:
        super().__init__(f"rounds must be a whole number from {minimum} to {maximum}.")


class PasswordTooShort(PasswordRefused):
    """Raised by the policy; lengths are in characters."""

    message = "The password is shorter than the policy allows."

    def __init__(self, length: int, minimum: int) -> None:
        super().__init__(f"The password has {length} characters; the policy asks for {minimum}.")


class PasswordTooCommon(PasswordRefused):
    """Raised by the policy for a password of the list, in any case."""

    message = "The password is one of the commonest, which attackers try first."
