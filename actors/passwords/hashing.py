"""bcrypt: hashes and checks passwords; the one module that loads it."""

from __future__ import annotations

import functools
import hmac
import time
from typing import Final

import bcrypt

from actors.passwords.normalization import check_visible, list_candidates, normalize_password
from actors.passwords.policy import check_policy
from actors.passwords.rules import (
    BcryptHash,
    can_hash,
    check_hashable,
    check_rounds,
    encode_hash,
    encode_password,
    find_maximum_rounds,
    parse_hash,
)
from catfeeder.queue.requester import maximum_rounds
from catfeeder.results import PasswordCheck, PasswordHash
from catfeeder.sealing import Secret
from config import PasswordsSettings, current_settings

#: The prefix of new hashes; $2a$ and $2y$ are those of older libraries, and of PHP.
_PREFIX: Final = "2b"
#: A few milliseconds at the start of a process; the quickest of the measurements counts.
_MEASURED_ROUNDS: Final = 7
_MEASUREMENTS: Final = 3
_CLOCK_SECONDS: Final = 1e-6


class PasswordHandling:
    """Hashes and checks passwords in this process, without a queue.

    Every refusal is a `PasswordRefused`, which is a ValueError. `error`, `success` and `debug` are
    stored and not used; the seed's other classes use theirs. A password is hashed as it comes; the
    message `hash_password` normalises it first.
    """

    #: bcrypt's cost: each round more doubles the time.
    salt_rounds: int = 10
    #: The policy for new passwords; none unless one is set.
    policy: PasswordsSettings | None = None

    def __init__(self, error: int = 84, success: int = 0, debug: bool = False) -> None:
        self.error = error
        self.success = success
        self.debug = debug

    def hash_password(self, password: str | bytes) -> str:
        """Return the bcrypt hash of a password.

        Raises:
            TypeError: The password is neither str nor bytes.
            PasswordRefused: It cannot be hashed, or the policy refuses it.
        """
        encoded = encode_password(password)
        if self.policy is not None:
            check_policy(encoded.decode(errors="surrogateescape"), self.policy)
        return _hash(encoded, self.salt_rounds)

    def check_password(self, password: str | bytes, password_hash: bytes | str) -> bool:
        """Tell whether a hash is of the password, as it comes or normalised.

        Raises:
            TypeError: One of the two is neither str nor bytes.
            PasswordRefused: The hash is not one of bcrypt, or the password has a NUL byte.
        """
        encoded = encode_password(password)
        return _find_match(encoded, parse_hash(encode_hash(password_hash))) is not None


def hash_password(password: Secret, rounds: int | None = None) -> PasswordHash:
    """Perform `hash_password`; the default of `rounds` is `[Passwords] rounds`.

    Raises:
        PasswordRefused: The password cannot be hashed, or not with so many rounds.
    """
    settings = current_settings()
    if rounds is not None:
        check_rounds(rounds, testing=settings.debug.testing, maximum=_find_maximum())
    chosen = settings.passwords.rounds if rounds is None else rounds
    normalized = normalize_password(encode_password(password))
    check_hashable(normalized)
    check_visible(normalized)
    return {"password_hash": _hash(normalized, chosen)}


def check_password(
    password: Secret, password_hash: Secret | None = None, *, rehash: bool = False
) -> PasswordCheck:
    """Perform `check_password`; with `rehash` return a new hash where the old one needs it.

    Without a `password_hash`, since no user of that name exists, a hash that fits no password is
    checked: the answer comes as late as that for a wrong password.

    Raises:
        PasswordRefused: The hash is not one of bcrypt, or the password has a NUL byte.
    """
    encoded = encode_password(password)
    rounds = current_settings().passwords.rounds
    if password_hash is None:
        _find_match(encoded, _make_dummy(rounds))
        return {"valid": False, "needs_rehash": False}
    parts = parse_hash(encode_hash(password_hash), _find_maximum())
    is_outdated = parts.prefix != _PREFIX or parts.rounds < rounds
    matched = _find_match(encoded, parts)
    if matched is None:
        return {"valid": False, "needs_rehash": is_outdated}
    best = _choose_new_form(encoded, matched)
    answer: PasswordCheck = {"valid": True, "needs_rehash": is_outdated or best != matched}
    if rehash and answer["needs_rehash"]:
        answer["password_hash"] = _hash(best, max(rounds, parts.rounds))
    return answer


def _find_maximum() -> int:
    """Return the most rounds that the caller may ask for."""
    return find_maximum_rounds(maximum_rounds.get())


def _hash(password: bytes, rounds: int) -> str:
    check_hashable(password)
    check_rounds(rounds, testing=current_settings().debug.testing)
    salt = bcrypt.gensalt(rounds, prefix=_PREFIX.encode())
    return bcrypt.hashpw(password, salt).decode()


def _find_match(password: bytes, parts: BcryptHash) -> bytes | None:
    """Return the bytes of which the hash is, of all forms of the password; None if of none."""
    for form in list_candidates(password):
        again = bcrypt.hashpw(form, parts.setting)
        if hmac.compare_digest(again[-len(parts.digest) :], parts.digest):
            return form
    return None


def _make_dummy(rounds: int) -> BcryptHash:
    """Return a hash that costs what a real one does; its digest is that of no known password."""
    return parse_hash(bcrypt.gensalt(rounds, prefix=_PREFIX.encode()) + b"." * 31)


def _choose_new_form(password: bytes, matched: bytes) -> bytes:
    """Return what a new hash is made of: the normalised password, if bcrypt takes all of it.

    Of a longer one bcrypt has seen the beginning, and goes on to see no more: the user has proven
    no other password than that.
    """
    normalized = normalize_password(password)
    return normalized if can_hash(password) and can_hash(normalized) else matched


@functools.cache
def measure_rounds_per_second() -> float:
    """Return how many rounds of bcrypt's key schedule a core of this machine makes in a second."""
    salt = bcrypt.gensalt(_MEASURED_ROUNDS)
    seconds = []
    for _ in range(_MEASUREMENTS):
        began = time.thread_time()
        bcrypt.hashpw(b"", salt)
        seconds.append(time.thread_time() - began)
    return (1 << _MEASURED_ROUNDS) / max(min(seconds), _CLOCK_SECONDS)
