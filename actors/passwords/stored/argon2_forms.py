"""Argon2's forms: PHC strings of Argon2i, d and id (RFC 9106), as they are or behind a prefix."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from actors.passwords.stored.form import StoredHash, decode_base64, divide_cost

#: One round of bcrypt takes as long as a pass over so many KiB, as measured with 19 and 64 MiB.
_KIB_PER_ROUND: Final = 64
#: Each is a thread, in each quarter of a pass: thousands of them fail, or take the machine.
_MAXIMUM_LANES: Final = 64
#: Without `v` it is version 1.0, of before the RFC.
_FIRST_VERSION: Final = 0x10
CURRENT_VERSION: Final = 0x13
_PATTERN: Final = re.compile(
    # argon2$ is Django's, {argon2} Spring's, {ARGON2} OpenLDAP's.
    r"(?P<around>|argon2|\{argon2(?:@SpringSecurity_v5_(?:2|8))?\}|\{ARGON2\})"
    r"\$argon2(?P<kind>id|i|d)\$(?:v=(?P<version>16|19)\$)?"
    r"m=(?P<memory>[1-9][0-9]{0,9}),t=(?P<passes>[1-9][0-9]{0,9}),p=(?P<lanes>[1-9][0-9]{0,7})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<digest>[A-Za-z0-9+/]{16,171})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, repr=False)
class Argon2Hash(StoredHash):
    """The parts of an Argon2 hash; memory is in KiB."""

    kind: str
    version: int
    memory: int
    passes: int
    lanes: int
    salt: bytes
    is_wrapped: bool = False

    @property
    def cost(self) -> int:
        """Passes over the memory; more lanes than any software takes are beyond every bound."""
        cost = estimate_argon2_cost(self.memory, self.passes)
        return cost if self.lanes <= _MAXIMUM_LANES else cost << 32

    @property
    def memory_kib(self) -> int:
        """The memory that it fills."""
        return self.memory


def estimate_argon2_cost(memory_kib: int, passes: int) -> int:
    """Return the core time of a hash, in rounds of bcrypt."""
    return divide_cost(memory_kib * passes, _KIB_PER_ROUND)


def parse_argon2(text: str) -> Argon2Hash | None:
    """Return an Argon2 hash; None for any other text."""
    parts = _PATTERN.fullmatch(text)
    if parts is None:
        return None
    salt, digest = decode_base64(parts["salt"]), decode_base64(parts["digest"])
    memory, passes, lanes = (int(parts[name]) for name in ("memory", "passes", "lanes"))
    # RFC 9106 section 3.1: 8 KiB for each lane at least.
    if salt is None or digest is None or memory < 8 * lanes:
        return None
    version = int(parts["version"] or _FIRST_VERSION)
    kind, is_wrapped = parts["kind"], bool(parts["around"])
    return Argon2Hash(digest, kind, version, memory, passes, lanes, salt, is_wrapped)
