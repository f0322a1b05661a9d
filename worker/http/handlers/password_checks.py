"""What a password must be like before a worker is troubled with it."""

from __future__ import annotations

from actors.passwords.policy import check_policy
from actors.passwords.rules import (
    check_hashable,
    check_rounds,
    encode_hash,
    encode_password,
    parse_hash,
    truncate_password,
)
from catfeeder.sealing import Secret
from config import Settings


def check_new_password(password: Secret, rounds: int | None, settings: Settings) -> None:
    """Make sure that a password can be hashed as asked, and meets the policy.

    Raises:
        PasswordRefused: The error's code names the rule.
    """
    check_hashable(encode_password(password))
    if rounds is not None:
        check_rounds(rounds, testing=settings.debug.testing)
    check_policy(password.reveal(), settings.passwords)


def check_comparable(password: Secret, password_hash: Secret) -> None:
    """Make sure that a password can be compared with a hash.

    Raises:
        PasswordRefused: The error's code names the rule.
    """
    truncate_password(encode_password(password))
    parse_hash(encode_hash(password_hash))
