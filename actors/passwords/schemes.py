"""Schemes of new hashes, bcrypt and Argon2id: what is chosen, what it costs, what it replaces."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from actors.passwords.errors import (
    MAXIMUM_BYTES,
    PasswordHashTooLarge,
    PasswordHashTooSlow,
    SchemeInvalid,
)
from actors.passwords.stored.argon2_forms import (
    CURRENT_VERSION,
    Argon2Hash,
    estimate_argon2_cost,
)
from actors.passwords.stored.bcrypt_forms import BcryptHash
from actors.passwords.stored.form import StoredHash
from actors.passwords.stored.peppered import strip_pepper
from config import ARGON2_SETS, PasswordsSettings

#: Sixteen rounds take about five seconds of a core, and nothing can stop them once begun.
MAXIMUM_ROUNDS: Final = 16
#: The prefix of new bcrypt hashes; $2a$ and $2y$ are those of older libraries, and of PHP.
PREFIX: Final = "2b"
#: RFC 9106 section 4: a salt of 128 bits and a tag of 256.
SALT_BYTES: Final = 16
DIGEST_BYTES: Final = 32
#: They trade memory for passes, and are as strong as each other.
_OWASP: Final = [found for name, found in ARGON2_SETS.items() if name.startswith("owasp-")]


@dataclass(frozen=True, slots=True)
class BcryptScheme:
    """bcrypt with so many rounds."""

    rounds: int

    @property
    def cost(self) -> int:
        """The core time of a hash, in rounds of bcrypt's key schedule."""
        return 1 << self.rounds if 0 < self.rounds < 32 else 1

    @property
    def read_bytes(self) -> int | None:
        """How many bytes of a password it reads."""
        return MAXIMUM_BYTES


@dataclass(frozen=True, slots=True)
class Argon2Scheme:
    """Argon2id with so many KiB, passes and lanes."""

    memory_kib: int
    passes: int
    lanes: int

    @property
    def cost(self) -> int:
        """The core time of a hash, in rounds of bcrypt's key schedule."""
        return estimate_argon2_cost(self.memory_kib, self.passes)

    @property
    def read_bytes(self) -> int | None:
        """All of them."""
        return None


Scheme = BcryptScheme | Argon2Scheme


@functools.cache
def configured_scheme(settings: PasswordsSettings) -> Scheme:
    """Return what `[Passwords]` has."""
    return choose_scheme(settings)


def choose_scheme(
    settings: PasswordsSettings,
    scheme: object = None,
    rounds: object = None,
    argon2: object = None,
) -> Scheme:
    """Return the scheme that a request names; what it leaves out is that of `[Passwords]`.

    `rounds` alone asks for bcrypt, whose they are, and `argon2` for Argon2id.

    Raises:
        SchemeInvalid: There is none of that name, or the other takes these parameters.
    """
    implied = "bcrypt" if rounds is not None else "argon2id" if argon2 is not None else None
    name = scheme or implied or settings.scheme
    if name == "bcrypt" and argon2 is None:
        return _build_bcrypt(settings.rounds if rounds is None else _as_number(rounds))
    chosen = settings.argon2 if argon2 is None else argon2
    if name != "argon2id" or rounds is not None or not isinstance(chosen, str):
        raise SchemeInvalid
    if chosen not in ARGON2_SETS:
        raise SchemeInvalid(f"argon2 must be one of {', '.join(ARGON2_SETS)}.")
    return Argon2Scheme(*ARGON2_SETS[chosen])


@functools.lru_cache(64)
def _build_bcrypt(rounds: int) -> BcryptScheme:
    return BcryptScheme(rounds)


def _as_number(rounds: object) -> int:
    # What is no number of rounds is refused with their range, as one out of it.
    return rounds if type(rounds) is int else -1


def check_affordable(scheme: Scheme, settings: PasswordsSettings, maximum_rounds: int) -> None:
    """Make sure that Argon2id of these parameters may be asked for.

    Raises:
        PasswordHashTooSlow: It takes longer than so many rounds of bcrypt.
        PasswordHashTooLarge: It needs more memory than `[Passwords] memory_mib`.
    """
    if not isinstance(scheme, Argon2Scheme) or scheme == configured_scheme(settings):
        return
    if scheme.cost > 1 << maximum_rounds:
        raise PasswordHashTooSlow(maximum_rounds)
    if scheme.memory_kib > settings.memory_mib * 1024:
        raise PasswordHashTooLarge(settings.memory_mib)


def choose_replacement(
    settings: PasswordsSettings, stored: StoredHash, scheme: object = None
) -> Scheme:
    """Return what a hash is replaced with: no weaker scheme than it has, unless one is named.

    An app may ask for Argon2id where config.toml has bcrypt, which then stays with it.
    """
    stored = strip_pepper(stored)
    if scheme is None and isinstance(stored, Argon2Hash):
        return choose_scheme(settings, "argon2id")
    wanted = choose_scheme(settings, scheme)
    if isinstance(wanted, BcryptScheme) and isinstance(stored, BcryptHash):
        return BcryptScheme(max(wanted.rounds, min(stored.rounds, MAXIMUM_ROUNDS)))
    return wanted


def is_outdated(stored: StoredHash, wanted: Scheme) -> bool:
    """Return whether a hash is weaker than what would replace it, or of another form.

    Peppers are not compared: a process without them estimates costs as well.
    """
    stored = strip_pepper(stored)
    if isinstance(stored, Argon2Hash) and isinstance(wanted, Argon2Scheme):
        return not (_is_our_argon2(stored) and _is_as_strong(stored, wanted))
    if isinstance(stored, BcryptHash) and isinstance(wanted, BcryptScheme):
        return stored.is_wrapped or stored.prefix != PREFIX or stored.rounds < wanted.rounds
    return True


def _is_our_argon2(stored: Argon2Hash) -> bool:
    is_current = stored.kind == "id" and stored.version == CURRENT_VERSION
    is_long = len(stored.salt) >= SALT_BYTES and len(stored.digest) >= DIGEST_BYTES
    return is_current and is_long and not stored.is_wrapped


def _is_as_strong(stored: Argon2Hash, wanted: Argon2Scheme) -> bool:
    """Compare with the wanted parameters and, where they are of OWASP's sets, with its others."""
    wanted_set = (wanted.memory_kib, wanted.passes, wanted.lanes)
    equals = [wanted_set, *(_OWASP if wanted_set in _OWASP else ())]
    return any(stored.memory >= memory and stored.passes >= passes for memory, passes, _ in equals)
