"""Password hashing: the class of the original project, and the actors of both messages."""

from __future__ import annotations

from collections.abc import Sequence

from actors.passwords.derivation import is_of, make_dummy, make_hash
from actors.passwords.normalization import check_visible, list_candidates, normalize_password
from actors.passwords.pepper import Pepper, find_current_pepper
from actors.passwords.policy import check_policy
from actors.passwords.rules import (
    can_hash,
    check_hashable,
    check_rounds,
    encode_hash,
    encode_password,
    find_maximum_rounds,
    parse_hash,
)
from actors.passwords.schemes import (
    BcryptScheme,
    Scheme,
    check_affordable,
    choose_replacement,
    choose_scheme,
    is_outdated,
)
from actors.passwords.stored.form import StoredHash
from actors.passwords.stored.peppered import find_pepper_id
from catfeeder.queue.requester import maximum_rounds
from catfeeder.results import PasswordCheck, PasswordHash
from catfeeder.sealing import Secret
from config import PasswordsSettings, current_settings


class PasswordHandling:
    """Hashes and checks passwords in this process, without a queue.

    Every refusal is a `PasswordRefused`, which is a ValueError. `error`, `success` and `debug` are
    stored and not used; the seed's other classes use theirs. A password is hashed as it comes, and
    without a pepper; the message `hash_password` normalises it first, and peppers it.
    """

    #: bcrypt's cost: each round more doubles the time.
    salt_rounds: int = 10
    #: The policy for new passwords; none unless one is set.
    policy: PasswordsSettings | None = None

    def __init__(
        self, error: int = 84, success: int = 0, debug: bool = False, *, scheme: str = "bcrypt"
    ) -> None:
        """`scheme` of new hashes is `bcrypt` or `argon2id`, with the parameters of config.toml."""
        self.error = error
        self.success = success
        self.debug = debug
        self.scheme = scheme

    def hash_password(self, password: str | bytes, *, scheme: str | None = None) -> str:
        """Return the hash of a password, by the scheme of the instance unless another is named.

        Raises:
            TypeError: The password is neither str nor bytes.
            PasswordRefused: It cannot be hashed, or the policy refuses it.
        """
        encoded = encode_password(password)
        if self.policy is not None:
            check_policy(encoded.decode(errors="surrogateescape"), self.policy)
        return _hash(encoded, self._choose(scheme or self.scheme))

    def _choose(self, scheme: str) -> Scheme:
        settings = current_settings()
        if scheme == "bcrypt":
            check_rounds(self.salt_rounds, testing=settings.debug.testing)
            return BcryptScheme(self.salt_rounds)
        return choose_scheme(settings.passwords, scheme)

    def check_password(self, password: str | bytes, password_hash: bytes | str) -> bool:
        """Tell whether a hash is of the password, as it comes or normalised.

        Raises:
            TypeError: One of the two is neither str nor bytes.
            PasswordRefused: The hash is of no known form, or the password has a NUL byte.
            PepperUnknown: It was made with a pepper that this process does not have.
        """
        encoded = encode_password(password)
        stored = parse_hash(encode_hash(password_hash), length=len(encoded))
        return _find_match(encoded, stored) is not None


def hash_password(
    password: Secret,
    rounds: int | None = None,
    *,
    scheme: str | None = None,
    argon2: str | None = None,
    user_inputs: Sequence[str] = (),
) -> PasswordHash:
    """Perform `hash_password`; what is not asked for is that of `[Passwords]`.

    Raises:
        PasswordRefused: The password cannot be hashed, or not with these parameters, or the policy
            refuses it.
    """
    settings = current_settings()
    if rounds is not None:
        check_rounds(rounds, testing=settings.debug.testing, maximum=_find_maximum())
    chosen = choose_scheme(settings.passwords, scheme, rounds, argon2)
    check_affordable(chosen, settings.passwords, _find_maximum())
    normalized = normalize_password(encode_password(password))
    check_hashable(normalized, chosen.read_bytes)
    check_policy(normalized.decode(errors="surrogateescape"), settings.passwords, user_inputs)
    check_visible(normalized)
    return {"password_hash": _hash(normalized, chosen, find_current_pepper())}


def check_password(
    password: Secret,
    password_hash: Secret | None = None,
    *,
    rehash: bool = False,
    scheme: str | None = None,
) -> PasswordCheck:
    """Perform `check_password`; with `rehash` return a new hash where the old one needs it.

    `scheme` is what a new hash is made with. Without a `password_hash`, since no user of that name
    exists, a hash that fits no password is checked: the answer comes as late as that for a wrong
    password.

    Raises:
        PasswordRefused: The hash is of no known form, or the password has a NUL byte.
        PepperUnknown: The hash was made with a pepper that is not set.
    """
    settings = current_settings().passwords
    encoded = encode_password(password)
    pepper = find_current_pepper()
    if password_hash is None:
        _find_match(encoded, make_dummy(choose_scheme(settings, scheme), pepper))
        return {"valid": False, "needs_rehash": False}
    stored = parse_hash(encode_hash(password_hash), _find_maximum(), length=len(encoded))
    wanted = choose_replacement(settings, stored, scheme)
    has_pepper = find_pepper_id(stored) == (pepper.key_id if pepper else None)
    outdated = is_outdated(stored, wanted) or not has_pepper
    matched = _find_match(encoded, stored)
    if matched is None:
        return {"valid": False, "needs_rehash": outdated}
    best = _choose_new_form(encoded, matched, wanted)
    answer: PasswordCheck = {"valid": True, "needs_rehash": outdated or best != matched}
    if rehash and answer["needs_rehash"] and can_hash(best, wanted.read_bytes):
        answer["password_hash"] = _hash(best, wanted, pepper)
    return answer


def _find_maximum() -> int:
    """Return the most rounds that the caller may ask for."""
    return find_maximum_rounds(maximum_rounds.get())


def _hash(password: bytes, scheme: Scheme, pepper: Pepper | None = None) -> str:
    check_hashable(password, scheme.read_bytes)
    if isinstance(scheme, BcryptScheme):
        check_rounds(scheme.rounds, testing=current_settings().debug.testing)
    return make_hash(password, scheme, pepper)


def _find_match(password: bytes, stored: StoredHash) -> bytes | None:
    """Return the bytes of which the hash is, of all forms of the password; None if of none."""
    for form in list_candidates(password, stored.read_bytes):
        if is_of(form, stored):
            return form
    return None


def _choose_new_form(password: bytes, matched: bytes, wanted: Scheme) -> bytes:
    """Return what a new hash is made of: the normalised password, if the scheme takes all of it.

    Of a longer one bcrypt has seen the beginning, and goes on to see no more: the user has proven
    no other password than that. Argon2id reads all that was typed.
    """
    normalized = normalize_password(password)
    if can_hash(password, wanted.read_bytes) and can_hash(normalized, wanted.read_bytes):
        return normalized
    return matched
