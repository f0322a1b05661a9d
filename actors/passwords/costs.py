"""Cost of a job: how much of a core bcrypt takes for it, in rounds of its key schedule.

A hash with n rounds takes 2^n of them, whatever the machine; how many a second it makes, each
process measures. Jobs that wait for a provider count as one each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.passwords.errors import PasswordRefused
from actors.passwords.normalization import list_candidates
from actors.passwords.rules import MAXIMUM_ROUNDS, encode_hash, encode_password, parse_hash
from catfeeder.messages import CHECK_PASSWORD, HASH_PASSWORD

#: What is refused without a hash, as all that waits for no core.
_NOTHING: Final = 1


def estimate_cost(message_name: str, arguments: Mapping[str, Any], usual_rounds: int) -> int:
    """Return what a message costs at most; `usual_rounds` are those of config.toml."""
    try:
        if message_name == HASH_PASSWORD.name:
            return _cost_of(arguments.get("rounds") or usual_rounds)
        if message_name == CHECK_PASSWORD.name:
            return _estimate_check(arguments, usual_rounds)
    except (TypeError, PasswordRefused):
        return _NOTHING
    return _NOTHING


def _estimate_check(arguments: Mapping[str, Any], usual_rounds: int) -> int:
    password_hash = arguments.get("password_hash")
    rounds = (
        usual_rounds if password_hash is None else parse_hash(encode_hash(password_hash)).rounds
    )
    # A wrong password is compared in each of its forms.
    forms = len(list_candidates(encode_password(arguments.get("password"))))
    rehash = _cost_of(max(rounds, usual_rounds)) if arguments.get("rehash") else 0
    return forms * _cost_of(rounds) + rehash


def _cost_of(rounds: int) -> int:
    return 1 << rounds if 0 < rounds <= MAXIMUM_ROUNDS else _NOTHING
