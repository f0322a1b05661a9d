"""What a password route can refuse at once: a job that would fail is not taken in."""

from __future__ import annotations

from actors.passwords.normalization import check_visible, normalize_password
from actors.passwords.policy import check_policy
from actors.passwords.rules import (
    check_hashable,
    check_nul,
    check_rounds,
    encode_hash,
    encode_password,
    find_maximum_rounds,
    parse_hash,
)
from actors.passwords.schemes import check_affordable, choose_scheme
from config import Settings
from worker.http.schemas.passwords import CheckPassword, HashPassword


def check_new_password(body: HashPassword, maximum_rounds: int, settings: Settings) -> None:
    """Raise unless a password can be hashed as the body says, and meets the policy.

    Raises:
        PasswordRefused: The error's code names the rule.
    """
    most = find_maximum_rounds(maximum_rounds)
    chosen = choose_scheme(settings.passwords, body.scheme, body.rounds, body.argon2)
    check_affordable(chosen, settings.passwords, most)
    normalized = normalize_password(encode_password(body.password))
    check_hashable(normalized, chosen.read_bytes)
    if body.rounds is not None:
        check_rounds(body.rounds, testing=settings.debug.testing, maximum=most)
    text = normalized.decode(errors="surrogateescape")
    check_policy(text, settings.passwords, body.user_inputs or (), asks_server=False)
    check_visible(normalized)


def check_comparable(body: CheckPassword, maximum_rounds: int) -> None:
    """Raise unless a password can be compared with a hash, or with a dummy in place of null.

    Raises:
        PasswordRefused: The error's code names the rule.
    """
    encoded = encode_password(body.password)
    check_nul(encoded)
    if body.password_hash is not None:
        most = find_maximum_rounds(maximum_rounds)
        parse_hash(encode_hash(body.password_hash), most, length=len(encoded))
