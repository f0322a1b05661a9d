"""Cost of a job: how much of a core it takes, in rounds of bcrypt's key schedule.

A bcrypt hash with n rounds takes 2^n of them, whatever the machine; of every other scheme the
module of its family says how much of it takes as long as one round. How many of them a second
makes, each process measures. Jobs that wait for a provider count as one each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.passwords.errors import PasswordRefused
from actors.passwords.normalization import list_candidates
from actors.passwords.rules import encode_hash, encode_password, parse_hash
from actors.passwords.schemes import (
    MAXIMUM_ROUNDS,
    BcryptScheme,
    choose_replacement,
    choose_scheme,
    configured_scheme,
)
from catfeeder.messages import CHECK_PASSWORD, HASH_PASSWORD
from config import PasswordsSettings

#: What is refused without a hash, as all that waits for no core.
_NOTHING: Final = 1


def estimate_cost(
    message_name: str, arguments: Mapping[str, Any], settings: PasswordsSettings
) -> int:
    """Return what a message costs at most."""
    try:
        if message_name == HASH_PASSWORD.name:
            return _estimate_hash(arguments, settings)
        if message_name == CHECK_PASSWORD.name:
            return _estimate_check(arguments, settings)
    except (TypeError, PasswordRefused):
        return _NOTHING
    return _NOTHING


def estimate_usual_cost(settings: PasswordsSettings) -> int:
    """Return what a hash of the configured scheme costs."""
    return configured_scheme(settings).cost


def _estimate_hash(arguments: Mapping[str, Any], settings: PasswordsSettings) -> int:
    asked = arguments.get
    chosen = choose_scheme(settings, asked("scheme"), asked("rounds"), asked("argon2"))
    if type(chosen) is BcryptScheme and chosen.rounds > MAXIMUM_ROUNDS:
        return _NOTHING
    return chosen.cost


def _estimate_check(arguments: Mapping[str, Any], settings: PasswordsSettings) -> int:
    password_hash = arguments.get("password_hash")
    password = encode_password(arguments.get("password"))
    if password_hash is None:
        wanted = choose_scheme(settings, arguments.get("scheme"))
        cost, read_bytes = wanted.cost, wanted.read_bytes
    else:
        stored = parse_hash(encode_hash(password_hash), length=len(password))
        wanted = choose_replacement(settings, stored, arguments.get("scheme"))
        cost, read_bytes = stored.cost_of(len(password)), stored.read_bytes
    # A wrong password is compared in each of its forms.
    forms = len(list_candidates(password, read_bytes))
    return forms * cost + (wanted.cost if arguments.get("rehash") else 0)
