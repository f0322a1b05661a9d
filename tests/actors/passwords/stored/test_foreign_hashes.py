"""Foreign hashes: what Django, Werkzeug, passlib's fork and OpenSSL make now is checked."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import django.contrib.auth.hashers
import passlib.hash
import pytest
import werkzeug.security

from actors.passwords.hashing import check_password
from catfeeder.sealing import Secret
from config import ROOT, current_settings
from tests.journeys.software.running import place_script

#: Not ASCII, and longer than what bcrypt reads.
LONG: Final = "pässword " * 12
SHORT: Final = "pässword"

_HASHERS: Final = [
    f"django.contrib.auth.hashers.{name}PasswordHasher"
    for name in ("PBKDF2", "PBKDF2SHA1", "Argon2", "BCryptSHA256", "BCrypt", "Scrypt", "MD5")
]
#: Costs of Django's hashers, by their attribute.
_CHEAP: Final = {"iterations": 1000, "rounds": 4, "work_factor": 1024, "memory_cost": 1024}


def _django(name: str, password: str) -> str:
    from django.conf import settings as django_settings
    from django.test.utils import override_settings

    if not django_settings.configured:
        django_settings.configure()
    with override_settings(PASSWORD_HASHERS=_HASHERS):
        hasher = django.contrib.auth.hashers.get_hasher(name)
        for attribute, cheap in (
            ("iterations", 1000),
            ("rounds", 4),
            ("work_factor", 1024),
            ("memory_cost", 1024),
        ):
            if hasattr(hasher, attribute):
                setattr(hasher, attribute, cheap)
        return str(hasher.encode(password, hasher.salt()))


def _passlib(name: str, password: str, **parameters: Any) -> str:
    made = getattr(passlib.hash, name)
    return str((made.using(**parameters) if parameters else made).hash(password))


def _openssl(option: str, password: str) -> str:
    command = ["openssl", "passwd", option, "-stdin"]
    made = subprocess.run(command, input=password, capture_output=True, text=True, check=True)
    return made.stdout.strip()


def _werkzeug(method: str, password: str) -> str:
    return werkzeug.security.generate_password_hash(password, method)


def _bcryptjs(password: str) -> str:
    """Return a hash of Node's bcryptjs; skip the test where there is no Node, or no package."""
    script = ROOT / "tests" / "journeys" / "passwords_npm" / "bcryptjs.mjs"
    with tempfile.TemporaryDirectory() as folder:
        command = place_script("passwords_npm", Path(folder), script.name, script.read_text())
        made = subprocess.run(command, input=password, capture_output=True, text=True, check=True)
    return made.stdout.strip()


Maker = Callable[[str], str]


def _makers(make: Callable[..., str], *names: str, **parameters: Any) -> dict[str, Maker]:
    maker = make.__name__.lstrip("_")
    return {f"{maker}-{name}": functools.partial(make, name, **parameters) for name in names}


#: Forms that read all of a password, and those that read 72 bytes of it.
WHOLE: Final[dict[str, Maker]] = {
    **_makers(_django, "pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "scrypt"),
    **_makers(_werkzeug, "scrypt:1024:8:1", "pbkdf2:sha256:1000", "pbkdf2:sha512:1000"),
    **_makers(_passlib, "bcrypt_sha256", rounds=4),
    "passlib-bcrypt_sha256-1": functools.partial(_passlib, "bcrypt_sha256", rounds=4, version=1),
    **_makers(_passlib, "scrypt", rounds=10),
    "passlib-scrypt-7": functools.partial(
        _passlib, "scrypt", ident="$7$", rounds=5, block_size=65, parallelism=2
    ),
    **_makers(_passlib, "pbkdf2_sha1", "pbkdf2_sha256", "pbkdf2_sha512", rounds=1000),
    **_makers(_passlib, "cta_pbkdf2_sha1", "dlitz_pbkdf2_sha1", rounds=400),
    **_makers(_passlib, "atlassian_pbkdf2_sha1"),
    **_makers(_passlib, "ldap_pbkdf2_sha1", "ldap_pbkdf2_sha256", rounds=1000),
    "passlib-argon2i": functools.partial(
        _passlib, "argon2", type="i", time_cost=1, memory_cost=64, parallelism=2
    ),
    "passlib-argon2d": functools.partial(
        _passlib, "argon2", type="d", time_cost=1, memory_cost=64, parallelism=1
    ),
    **_makers(_passlib, "sha256_crypt", "sha512_crypt", "ldap_sha512_crypt", rounds=1001),
    **_makers(_openssl, "-5", "-6"),
    **_makers(_passlib, "phpass", rounds=7),
    **_makers(_passlib, "ldap_salted_sha1", "ldap_salted_sha256", "ldap_salted_sha512"),
}
BCRYPT: Final[dict[str, Maker]] = {
    **_makers(_django, "bcrypt"),
    **_makers(_passlib, "ldap_bcrypt", rounds=4),
    "bcryptjs": _bcryptjs,
    **{
        f"passlib-bcrypt-{ident}": functools.partial(_passlib, "bcrypt", rounds=4, ident=ident)
        for ident in ("2", "2a", "2y", "2b")
    },
}
#: By the name that config.toml lists them by.
DIGESTS: Final[dict[str, Maker]] = {
    "md5": functools.partial(_passlib, "hex_md5"),
    "sha1": functools.partial(_passlib, "hex_sha1"),
    "sha256": functools.partial(_passlib, "hex_sha256"),
    "sha512": functools.partial(_passlib, "hex_sha512"),
    "django_md5": functools.partial(_django, "md5"),
    "django_sha1": functools.partial(_passlib, "django_salted_sha1"),
    "ldap_md5": functools.partial(_passlib, "ldap_md5"),
    "ldap_smd5": functools.partial(_passlib, "ldap_salted_md5"),
    "ldap_sha": functools.partial(_passlib, "ldap_sha1"),
}

pytestmark = pytest.mark.usefixtures("settings")


def _check(password: str, made: str) -> dict[str, Any]:
    return dict(check_password(Secret(password), Secret(made), rehash=True, scheme="bcrypt"))


@pytest.mark.parametrize("name", WHOLE)
def test_a_hash_that_other_software_made_is_of_all_of_a_password(name: str) -> None:
    made = WHOLE[name](LONG)
    assert _check(LONG, made)["valid"]
    # bcrypt takes no password of that length, so there is no new hash where it is wanted
    assert _check(LONG, made) == {"valid": True, "needs_rehash": True}
    assert not _check(LONG[:-1], made)["valid"]
    # A shorter one gets a new hash at once, which is in order
    renewed = _check(SHORT, WHOLE[name](SHORT))["password_hash"]
    assert _check(SHORT, renewed) == {"valid": True, "needs_rehash": False}


@pytest.mark.parametrize("name", BCRYPT)
def test_every_form_of_bcrypt_is_of_the_beginning(name: str) -> None:
    made = BCRYPT[name](SHORT)
    assert _check(SHORT, made)["valid"]
    assert not _check(SHORT + "!", made)["valid"]
    assert _check(SHORT, made)["needs_rehash"] == (name not in ("bcryptjs", "passlib-bcrypt-2b"))
    # What other software cut off, when it let a long password pass, is ignored
    assert _check("x" * 80, BCRYPT[name]("x" * 72))["valid"]


@pytest.mark.parametrize("name", DIGESTS)
def test_a_digest_is_checked_where_config_lists_it(name: str, toml_conf: dict[str, Any]) -> None:
    made = DIGESTS[name](SHORT)
    # Given settings that list no digest, or any other
    others = [other for other in DIGESTS if other != name]
    for listed in ([], others):
        toml_conf["Passwords"]["accept_digests"] = listed
        current_settings.cache_clear()
        # Then it is no hash
        with pytest.raises(ValueError, match="no known form"):
            _check(SHORT, made)
    # When it is listed, then it is checked, and comes back with a new hash
    toml_conf["Passwords"]["accept_digests"] = [name]
    current_settings.cache_clear()
    assert _check(SHORT, made)["password_hash"].startswith("$2b$")
    assert not _check("other", made)["valid"]


def test_a_hash_with_the_bug_of_crypt_blowfish_is_checked_for_ascii_alone() -> None:
    # Given a hash that begins with $2x$, where the bug makes others of bytes beyond ASCII
    made = BCRYPT["passlib-bcrypt-2y"]("password").replace("$2y$", "$2x$")
    assert _check("password", made)["valid"]
    made = BCRYPT["passlib-bcrypt-2y"](SHORT).replace("$2y$", "$2x$")
    assert not _check(SHORT, made)["valid"]
