"""Which new passwords are good enough, after NIST SP 800-63B: long ones that not everybody uses."""

from __future__ import annotations

import functools

from actors.passwords.rules import PasswordRefused
from config import PasswordsSettings


class PasswordTooShort(PasswordRefused):
    """The password is shorter than the policy allows."""

    message = "The password is shorter than the policy allows."

    def __init__(self, length: int, least: int) -> None:
        """Take how many characters it has, and how many it should."""
        super().__init__(f"The password has {length} characters; the policy asks for {least}.")


class PasswordTooCommon(PasswordRefused):
    """The password is one of the commonest, which attackers try first."""

    message = "The password is one of the commonest, which attackers try first."


def check_policy(password: str, settings: PasswordsSettings) -> None:
    """Make sure that a new password meets the policy of `[Passwords]`, if it is on.

    Raises:
        PasswordTooShort: It has too few characters.
        PasswordTooCommon: It is on the list of common ones, in whatever case.
    """
    if not settings.policy:
        return
    if len(password) < settings.minimum_length:
        raise PasswordTooShort(len(password), settings.minimum_length)
    if settings.refuse_common and password.lower() in common_passwords():
        raise PasswordTooCommon


@functools.cache
def common_passwords() -> frozenset[str]:
    """Return the commonest passwords, in lower case: 30,000 of leaked ones."""
    # Loading it takes as long as a hash, so only who asks for the policy pays for it.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
