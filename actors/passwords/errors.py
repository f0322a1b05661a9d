"""The errors of passwords: what no scheme can take, and what the policy refuses."""

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
    """Raised on hashing a new password that no person can see."""

    message = (
        "The password has no visible character: spaces and zero-width characters alone are refused."
    )


class PasswordHashInvalid(PasswordRefused):
    """Raised on checking against text that is no hash of a supported form."""

    message = (
        "The password hash is of no known form. Known are: bcrypt ($2a$, $2b$, $2y$, $2x$, $2$; "
        "{bcrypt}; Django's bcrypt$ and bcrypt_sha256$; passlib's $bcrypt-sha256$; WordPress's "
        "$wp$), Argon2 ($argon2id$, $argon2i$, $argon2d$; Django's argon2$; {argon2}), bcrypt or "
        "Argon2id behind this service's {pepper:…}, scrypt ($scrypt$, $7$; "
        "Django's scrypt$; Werkzeug's scrypt:; {scrypt}; Firebase's as $fbscrypt$), "
        "PBKDF2 (Django's pbkdf2_sha256$ and pbkdf2_sha1$; passlib's $pbkdf2-sha256$ and its kin, "
        "$p5k2$; {PKCS5S2}; Werkzeug's pbkdf2:; ASP.NET Identity's; {pbkdf2}), "
        "Keycloak's credentials as JSON, SHA-crypt ($5$, $6$), phpass ($P$, $H$, $S$), LDAP's "
        "{SSHA}, {SSHA256}, {SSHA384} and {SSHA512}, and the digests that [Passwords] "
        "accept_digests names."
    )


class PepperUnknown(PasswordRefused):
    """Raised on checking against a hash whose pepper this process does not have.

    Any caller can write such a hash: it is a refusal, and no fault of the service.
    """

    message = "The password hash was made with a pepper that this service does not have."

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"password_hash names the pepper of the id {key_id}, which this service does not have. "
            "If the hash is as it was stored, its operator has to add that PASSWORD_PEPPER to "
            "PASSWORD_PEPPER_PREVIOUS; if not, send the one that was."
        )


class PasswordHashTooSlow(PasswordRefused):
    """Raised on checking against a hash that would keep a core busy for minutes or hours."""

    message = "The password hash would take too long to check."

    def __init__(self, maximum: int) -> None:
        super().__init__(
            f"The password hash would take longer to check than bcrypt takes for {maximum} rounds, "
            "the most that may be asked for."
        )


class PasswordHashTooLarge(PasswordRefused):
    """Raised for a hash that needs more memory than the service has for hashing."""

    message = "The password hash would need too much memory."

    def __init__(self, memory_mib: int) -> None:
        super().__init__(
            f"The password hash would need more memory than the {memory_mib} MiB of [Passwords] "
            "memory_mib."
        )


class SchemeInvalid(PasswordRefused):
    """Raised for a scheme of new hashes, or parameters of it, that there are not."""

    message = (
        "scheme must be bcrypt, which takes rounds, or argon2id, which takes the name of one of "
        "its sets of parameters as argon2."
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


class PasswordTooEasy(PasswordRefused):
    """Raised by the policy for a password made of what is known of its user or app."""

    message = (
        "The password is easily guessed from the app's name, the user's name, address or what else "
        "user_inputs has."
    )


class UserInputsInvalid(PasswordRefused):
    """Raised for `user_inputs` that are no short list of texts."""

    message = "user_inputs must be a list of at most 20 texts of at most 255 characters each."


class PasswordBreached(PasswordRefused):
    """Raised by the policy for a password of a breach list."""

    message = "The password is in a list of leaked ones, which attackers try first."

    def __init__(self, count: int | None = None) -> None:
        self.count = count
        if count is None:
            super().__init__()
            return
        times = "once" if count == 1 else f"{count:,} times"
        super().__init__(f"The password has leaked {times}, and attackers try such ones first.")


class BreachListUnavailable(PasswordRefused):
    """Raised by the policy where a breach list cannot be asked, and config.toml wants it to be."""

    message = "The list of leaked passwords cannot be asked at the moment: try again later."
    permanent = False
    is_foreseen = False


class BreachListInvalid(CatFeederError):
    """Raised for a breach list, or a filter of one, that cannot be used; `fault` is a predicate."""

    message = "The breach list cannot be used."

    def __init__(self, fault: str, path: object = None) -> None:
        self.fault = fault
        super().__init__(f"{path or 'The breach list'} {fault}.")
