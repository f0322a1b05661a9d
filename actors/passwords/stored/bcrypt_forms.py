"""bcrypt's forms: all prefixes, and what Django, passlib, Spring and WordPress put around them.

Forms with SHA-2 before bcrypt take a password of any length; the others read 72 bytes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from actors.passwords.stored.form import BCRYPT_BYTES, StoredHash

_BASE64: Final = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#: Only the first two of its six bits belong to the salt's 128.
_LAST_SALT_BITS: Final = 0b110000
_SALT: Final = r"(?P<salt>[./A-Za-z0-9]{22})"
_DIGEST: Final = r"(?P<digest>[./A-Za-z0-9]{31})"
#: {bcrypt} is Spring's, bcrypt$ Django's, {CRYPT} that of LDAP.
_PLAIN: Final = re.compile(
    rf"(?P<around>|\{{bcrypt\}}|bcrypt\$|\{{CRYPT\}})"
    rf"\$(?P<prefix>2[abxy]?)\$(?P<rounds>[0-9]{{2}})\${_SALT}{_DIGEST}",
    re.ASCII,
)
_DJANGO_SHA256: Final = re.compile(
    rf"bcrypt_sha256\$\$(?P<prefix>2[aby])\$(?P<rounds>[0-9]{{2}})\${_SALT}{_DIGEST}", re.ASCII
)
_PASSLIB_1: Final = re.compile(
    rf"\$bcrypt-sha256\$(?P<prefix>2[aby]),(?P<rounds>[1-9][0-9]?)\${_SALT}\${_DIGEST}", re.ASCII
)
_PASSLIB_2: Final = re.compile(
    rf"\$bcrypt-sha256\$v=2,t=(?P<prefix>2[aby]),r=(?P<rounds>[1-9][0-9]?)\${_SALT}\${_DIGEST}",
    re.ASCII,
)
_WORDPRESS: Final = re.compile(
    rf"\$wp\$(?P<prefix>2y)\$(?P<rounds>[0-9]{{2}})\${_SALT}{_DIGEST}", re.ASCII
)
#: bcrypt itself begins at 4 rounds and ends at 31.
_ROUNDS: Final = range(4, 32)

Prehash = Callable[[bytes, bytes], bytes]


@dataclass(frozen=True, slots=True, repr=False)
class BcryptHash(StoredHash):
    """The parts of a bcrypt hash; `prehash` makes of password and salt what bcrypt is given."""

    prefix: str
    rounds: int
    salt: bytes
    prehash: Prehash | None = None
    #: Text around the hash proper, which other software has put there.
    is_wrapped: bool = False

    @property
    def cost(self) -> int:
        """2 to the power of the rounds."""
        return 1 << self.rounds

    @property
    def read_bytes(self) -> int | None:
        """72, unless SHA-2 comes first."""
        return BCRYPT_BYTES if self.prehash is None else None

    @property
    def setting(self) -> bytes:
        """The algorithm, rounds and salt, from which bcrypt hashes another password."""
        # Passlib before 1.5.3 left the salt's last four bits as they came; bcrypt insists on zeros.
        last = _BASE64[_BASE64.index(chr(self.salt[-1])) & _LAST_SALT_BITS]
        prefix = self.prefix if self.prefix in ("2a", "2b", "2y") else "2b"
        return b"$%s$%02d$%s%s" % (prefix.encode(), self.rounds, self.salt[:-1], last.encode())

    def prepare(self, password: bytes) -> bytes | None:
        """Return what bcrypt is given for a password; None where no answer can be known."""
        if self.prehash is not None:
            return self.prehash(password, self.salt)
        if self.prefix == "2":
            # Without the NUL that $2a$ puts behind it, the password begins anew at once.
            return (password * BCRYPT_BYTES)[:BCRYPT_BYTES]
        # $2x$ is crypt_blowfish's with the bug of CVE-2011-2483, which ASCII does not meet.
        return password if self.prefix != "2x" or password.isascii() else None


def parse_bcrypt(text: str) -> BcryptHash | None:
    """Return a bcrypt hash; None for any other text."""
    for pattern, prehash in _FORMS:
        if parts := pattern.fullmatch(text):
            return _build(parts, prehash)
    return None


def _build(parts: re.Match[str], prehash: Prehash | None) -> BcryptHash | None:
    rounds = int(parts["rounds"])
    if rounds not in _ROUNDS:
        return None
    is_wrapped = prehash is not None or bool(parts["around"])
    return BcryptHash(
        parts["digest"].encode(),
        parts["prefix"],
        rounds,
        parts["salt"].encode(),
        prehash,
        is_wrapped,
    )


def _hash_as_django(password: bytes, _salt: bytes) -> bytes:
    return hashlib.sha256(password).hexdigest().encode()


def _hash_as_passlib_1(password: bytes, _salt: bytes) -> bytes:
    return base64.b64encode(hashlib.sha256(password).digest())


def _hash_as_passlib_2(password: bytes, salt: bytes) -> bytes:
    return base64.b64encode(hmac.digest(salt, password, "sha256"))


def _hash_as_wordpress(password: bytes, _salt: bytes) -> bytes:
    # PHP's trim() takes these from both ends.
    trimmed = password.strip(b" \n\r\t\v\0")
    return base64.b64encode(hmac.digest(b"wp-sha384", trimmed, "sha384"))


_FORMS: Final[tuple[tuple[re.Pattern[str], Prehash | None], ...]] = (
    (_PLAIN, None),
    (_DJANGO_SHA256, _hash_as_django),
    (_PASSLIB_2, _hash_as_passlib_2),
    (_PASSLIB_1, _hash_as_passlib_1),
    (_WORDPRESS, _hash_as_wordpress),
)
