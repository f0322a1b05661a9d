"""Password policy after NIST SP 800-63B: new passwords are long, and none of the commonest."""

from __future__ import annotations

import functools

from actors.passwords.errors import PasswordTooCommon, PasswordTooShort
from config import PasswordsSettings


def check_policy(password: str, settings: PasswordsSettings) -> None:
    """Make sure that a new password meets the policy of `[Passwords]`, if it is on.

    Raises:
        PasswordTooShort: It has too few characters.
        PasswordTooCommon: It is on the list of common ones, in any case.
    """
    if not settings.policy:
        return
    if len(password) < settings.minimum_length:
        raise PasswordTooShort(len(password), settings.minimum_length)
    if settings.refuse_common and password.lower() in load_common_passwords():
        raise PasswordTooCommon


@functools.cache
def load_common_passwords() -> frozenset[str]:
    """Return the commonest passwords, in lower case: 30,000 of leaked ones."""
    # Loading the list takes as long as a hash, so a process loads it on first use.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
