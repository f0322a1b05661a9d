"""Pepper: keyed hashes, their stored form, and what becomes of them as keys come and go."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import Any

import bcrypt
import pytest

from actors.passwords.errors import PasswordHashInvalid, PasswordTooLong, PepperUnknown
from actors.passwords.hashing import PasswordHandling, check_password, hash_password
from actors.passwords.pepper import Pepper
from actors.passwords.rules import parse_hash
from catfeeder.results import PasswordCheck
from catfeeder.sealing import Secret, derive_key
from config import current_settings

_OLD = "Vn3kq8Zt0uYw5Rb1xLc7Gs9dHf2jKm4p"
_NEW = "c6Tz1Qe9Wa3Xs5Dd7Rf0Vg2Bh4Nj8Mky"
_OLDER = "Yx8Nc2Kw6Qe4Tb0Zr7Mf5Hj1Lg3Vd9Sp"
_PASSWORD = "correct horse"
_FOREIGN = "pbkdf2_sha256$1000$gVAXTzJtQBPT$H3DBiBX95xPTVvCPfmqIWHZk7dlbHnJGnPWz/uMQXY4="

SetPeppers = Callable[..., None]


@pytest.fixture
def set_peppers(
    environment: dict[str, str], toml_conf: dict[str, Any], settings: object
) -> SetPeppers:
    """Return what sets PASSWORD_PEPPER, and behind it those of before, from now on."""
    assert settings is not None

    def set_peppers(current: str = "", *previous: str, **passwords: Any) -> None:
        environment["PASSWORD_PEPPER"] = current
        environment["PASSWORD_PEPPER_PREVIOUS"] = ",".join(previous)
        toml_conf["Passwords"].update(passwords)
        current_settings.cache_clear()

    return set_peppers


def _make(**options: Any) -> str:
    return hash_password(Secret(_PASSWORD), **options)["password_hash"]


def _check(stored: str, password: str = _PASSWORD) -> PasswordCheck:
    return check_password(Secret(password), Secret(stored), rehash=True)


def _id_of(pepper: str) -> str:
    return Pepper.derive(pepper).key_id


@pytest.mark.parametrize("scheme", ["bcrypt", "argon2id"])
def test_a_hash_is_of_the_password_under_the_pepper_alone(
    set_peppers: SetPeppers, scheme: str
) -> None:
    # Given a pepper, when a password is hashed
    set_peppers(_NEW, scheme=scheme)
    made = _make()
    # Then the hash names the key, has room in any column, and is right for the password alone
    prefix = f"{{pepper:{_id_of(_NEW)}}}"
    assert made.startswith(f"{prefix}${'2b' if scheme == 'bcrypt' else 'argon2id'}$")
    assert len(made) < 128
    assert _check(made) == {"valid": True, "needs_rehash": False}
    assert _check(made, "wrong") == {"valid": False, "needs_rehash": False}
    # And without its prefix, or with one before a hash without a pepper, it is right for nothing
    assert not _check(made.removeprefix(prefix))["valid"]
    set_peppers(scheme=scheme)
    bare = _make()
    set_peppers(_NEW, scheme=scheme)
    assert not _check(prefix + bare)["valid"]


def test_the_stored_form_is_what_the_page_says(set_peppers: SetPeppers) -> None:
    # Given a hash of bcrypt, which reads 72 bytes and ends at a NUL
    set_peppers(_NEW)
    inner = _make().partition("}")[2]
    # Then it is of the base64 of HMAC-SHA-384, by a key that HKDF derives from PASSWORD_PEPPER
    key = derive_key(Secret(_NEW), "catfeeder/pepper/v1")
    mac = base64.b64encode(hmac.digest(key, _PASSWORD.encode(), "sha384"))
    assert len(mac) == 64
    assert bcrypt.checkpw(mac, inner.encode())


def test_hashes_are_replaced_as_peppers_come_change_and_go(set_peppers: SetPeppers) -> None:
    # Given a hash without a pepper, and one of other software
    stored = _make()
    # When a pepper is turned on, changed, and turned off again, then a login replaces each, once
    for peppers, expected in (
        ((_OLD,), f"{{pepper:{_id_of(_OLD)}}}$2b$04$"),
        ((_NEW, _OLD), f"{{pepper:{_id_of(_NEW)}}}$2b$04$"),
        (("", _NEW), "$2b$04$"),
    ):
        set_peppers(*peppers)
        assert _check(stored, "wrong") == {"valid": False, "needs_rehash": True}
        stored = _check(stored)["password_hash"]
        assert stored.startswith(expected)
        assert _check(stored) == {"valid": True, "needs_rehash": False}
    # And so it does with a hash of more rounds, and with Argon2id, of which neither gets weaker
    dear, argon2id = _make(rounds=5), _make(argon2="owasp-7-mib")
    set_peppers(_NEW)
    assert _check(dear)["password_hash"].startswith(f"{{pepper:{_id_of(_NEW)}}}$2b$05$")
    peppered = _check(argon2id)["password_hash"]
    assert peppered.startswith(f"{{pepper:{_id_of(_NEW)}}}$argon2id$")
    assert _check(peppered) == {"valid": True, "needs_rehash": False}


def test_processes_of_two_peppers_take_each_others_hashes(set_peppers: SetPeppers) -> None:
    # Given a change that some processes have made, and some have not yet
    before, after = (_OLD, _NEW), (_NEW, _OLD)
    for maker, checker in ((before, after), (after, before)):
        set_peppers(*maker)
        made = _make()
        assert _check(made) == {"valid": True, "needs_rehash": False}
        # When a process of the other side checks, then no login is refused, and none let in
        set_peppers(*checker)
        assert _check(made, "wrong") == {"valid": False, "needs_rehash": True}
        assert _check(made)["password_hash"].startswith(f"{{pepper:{_id_of(checker[0])}}}")
    # And of several former ones each is known, in whatever order they stand
    for former in ((_OLD, _OLDER), (_OLDER, _OLD)):
        set_peppers(_NEW, *former)
        assert _check(made)["valid"]


@pytest.mark.parametrize("peppers", [(), (_NEW,)], ids=["off", "another"])
def test_a_hash_whose_pepper_is_lost_is_no_wrong_password(
    set_peppers: SetPeppers, peppers: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    # Given a hash whose pepper is no longer set
    set_peppers(_OLD)
    made = _make()
    set_peppers(*peppers)
    # When the right password is checked, by the queue or by the class
    for attempt in (lambda: _check(made), lambda: PasswordHandling().check_password("x", made)):
        # Then the error names the key that is missing, for the operator and the caller alike
        with pytest.raises(PepperUnknown, match=f"{_id_of(_OLD)}.* PASSWORD_PEPPER_PREVIOUS") as it:
            attempt()
        assert (it.value.code, it.value.permanent) == ("pepper_unknown", True)
        [line] = caplog.records
        assert f"the pepper of the id {_id_of(_OLD)}, which is not set" in line.getMessage()
        assert line.levelname == "ERROR"
        caplog.clear()


def test_a_password_longer_than_bcrypt_reads_stays_with_its_user(set_peppers: SetPeppers) -> None:
    # Given a hash of other software, of the first 72 bytes of a longer password
    typed = "x" * 80
    stored = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    # When it is replaced by one with a pepper, then the same typing is right for that
    set_peppers(_NEW)
    stored = _check(stored, typed)["password_hash"]
    assert _check(stored, typed) == {"valid": True, "needs_rehash": False}
    # And a new one is refused with a pepper too, so that it can be turned off again
    with pytest.raises(PasswordTooLong):
        hash_password(Secret(typed))


def test_a_dummy_is_checked_under_the_pepper_as_well(
    set_peppers: SetPeppers, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a pepper whose uses are counted
    set_peppers(_NEW)
    made, uses, apply = _make(), [0], Pepper.apply

    def count(self: Pepper, password: bytes) -> bytes:
        uses[0] += 1
        return apply(self, password)

    monkeypatch.setattr(Pepper, "apply", count)
    # When a user who exists and one who does not get a wrong password
    _check(made, "wrong")
    known = uses[0]
    assert check_password(Secret("wrong"), None) == {"valid": False, "needs_rehash": False}
    # Then both have cost the same
    assert uses[0] - known == known == 1


def test_the_seeds_class_makes_bare_hashes_and_checks_both(set_peppers: SetPeppers) -> None:
    set_peppers(_NEW)
    handling = PasswordHandling()
    handling.salt_rounds = 4
    bare = handling.hash_password(_PASSWORD)
    assert bcrypt.checkpw(_PASSWORD.encode(), bare.encode())
    assert handling.check_password(_PASSWORD, bare)
    assert handling.check_password(_PASSWORD.encode(), _make().encode())


@pytest.mark.parametrize(
    "text",
    [
        "{{pepper:{id}}}",
        "{{pepper:{id}}}x",
        "{{pepper:{id}}}$2a$04${rest}",
        "{{pepper:{id}}}{{bcrypt}}$2b$04${rest}",
        "{{pepper:{id}}}{{pepper:{id}}}$2b$04${rest}",
        "{{pepper:}}$2b$04${rest}",
        "{{pepper:{ID}}}$2b$04${rest}",
        "{{pepper:{id}0}}$2b$04${rest}",
        "{{PEPPER:{id}}}$2b$04${rest}",
        " {{pepper:{id}}}$2b$04${rest}",
        f"{{{{pepper:{{id}}}}}}{_FOREIGN}",
    ],
)
def test_what_only_resembles_the_stored_form_is_refused(text: str) -> None:
    hostile = text.format(id="1a2b3c4d", ID="1A2B3C4D", rest="." * 53)
    with pytest.raises(PasswordHashInvalid):
        parse_hash(hostile.encode())
