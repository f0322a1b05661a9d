"""bcrypt: published answers of other implementations, and properties of any password."""

from __future__ import annotations

import time

import bcrypt
import hypothesis
import pytest
from hypothesis import strategies as st

from actors.passwords.errors import (
    PasswordBlank,
    PasswordHashInvalid,
    PasswordHasNul,
    PasswordNotText,
    PasswordTooCommon,
    PasswordTooLong,
    RoundsOutOfRange,
)
from actors.passwords.hashing import PasswordHandling, check_password, hash_password
from catfeeder.sealing import Secret
from config import PasswordsSettings, Settings, current_settings

BEHIND_72 = b"chars after 72 are ignored"
#: crypt_blowfish 1.3 by Openwall, wrapper.c. Left out are its $2x$ hashes, which carry the bug of
#: CVE-2011-2483, and the two $2a$ ones that its countermeasure against that bug changes.
CRYPT_BLOWFISH = [
    (b"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    (b"U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    (b"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
    (
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + BEHIND_72,
        "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
    ),
    (b"\xff\xff\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"),
    (b"\xff\xff\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"),
    (b"\xa3", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
    (b"\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
    (b"\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"),
    (
        b"\xff\xa334\xff\xff\xff\xa3345",
        "$2y$05$/OK.fbVrR/bpIqNJ5ianF.o./n25XVfn6oAPaUvHe.Csk4zRfsYPi",
    ),
    (b"\xff\xa3345", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.nRht2l/HRhr6zmCp9vYUvvsqynflf9e"),
    (b"\xff\xa3345", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.nRht2l/HRhr6zmCp9vYUvvsqynflf9e"),
    (b"\xa3ab", "$2a$05$/OK.fbVrR/bpIqNJ5ianF.6IflQkJytoRVc1yuaNtHfiuq.FRlSIS"),
    (b"\xa3ab", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.6IflQkJytoRVc1yuaNtHfiuq.FRlSIS"),
    (b"\xaa" * 72 + BEHIND_72, "$2a$05$/OK.fbVrR/bpIqNJ5ianF.swQOIzjOiJ9GHEPuhEkvqrUyvWhEMx6"),
    (b"\xaa\x55" * 36, "$2a$05$/OK.fbVrR/bpIqNJ5ianF.R9xrDjiycxMbQE2bp.vgqlYpW5wx2yy"),
    (b"\x55\xaa\xff" * 24, "$2a$05$/OK.fbVrR/bpIqNJ5ianF.9tQZzcJfm3uj2NvJ/n5xkhpqLrMpWCe"),
    (b"", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
]
#: John the Ripper 1.7.9, BF_fmt.c.
JOHN_THE_RIPPER = [
    (b"U*U*U*U*", "$2a$05$c92SVSfjeiCD6F2nAD6y0uBpJDjdRkt0EgeC4/31Rf2LUZbDRDE.O"),
    (b"U*U***U", "$2a$05$WY62Xk2TXZ7EvVDQ5fmjNu7b0GEzSzUXUh2cllxJwhtOeMtWV3Ujq"),
    (b"U*U***U*", "$2a$05$Fa0iKV3E2SYVUlMknirWU.CFYGvJ67UwVKI1E2FP6XeLiZGcH3MJi"),
    (b"*U*U*U*U", "$2a$05$.WRrXibc1zPgIdRXYfv.4uu6TD1KWf0VnHzq/0imhUhuxSxCyeBs2"),
    (b"", "$2a$05$Otz9agnajgrAe0.kFVF9V.tzaStZ2s1s4ZWi/LY4sw2k/MTVFj/IO"),
]
#: py-bcrypt and jBCrypt, after OpenBSD's bcrypt.c.
OPENBSD = [
    (b"", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
    (b"a", "$2a$10$k87L/MF28Q673VKh8/cPi.SUl7MU/rWuSiIDDFayrKk/1tBsSQu4u"),
    (b"abc", "$2a$10$WvvTPHKwdBJ3uk0Z37EMR.hLA2W6N9AEBhEgrAOljy2Ae5MtaSIUi"),
    (
        b"~!@#$%^&*()      ~!@#$%^&*()PNBFRD",
        "$2a$10$LgfYWkbzEvQ4JakH7rOvHe0y8pHKF9OaFgwUZ2q7W2FFZmZzJYlfS",
    ),
]
#: Passlib's test of OpenBSD's length counter, which overflowed at 256 bytes until $2b$.
WRAPAROUND = [(b"0123456789" * 26, "$2a$04$R1lJ2gkNaoPGdafE.H.16.1MKHPvmKwryeulRe225LKProWYwt9Oi")]
PUBLISHED = [*CRYPT_BLOWFISH, *JOHN_THE_RIPPER, *OPENBSD, *WRAPAROUND]

#: What can be hashed: any bytes but NUL, up to 72 of them.
HASHABLE = st.binary(max_size=72).filter(lambda password: b"\0" not in password)
#: Text whose UTF-8 is short enough.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=18)
#: Each example costs two hashes of four rounds, about 3 ms.
any_password = hypothesis.settings(max_examples=30)


@pytest.fixture
def handling(settings: Settings) -> PasswordHandling:
    handling = PasswordHandling(error=84, success=0, debug=False)
    handling.salt_rounds = settings.passwords.rounds
    return handling


@pytest.mark.parametrize(("password", "password_hash"), PUBLISHED)
def test_published_answer_is_confirmed(
    handling: PasswordHandling, password: bytes, password_hash: str
) -> None:
    assert handling.check_password(password, password_hash) is True
    assert handling.check_password(b"!" + password, password_hash) is False


def test_the_last_character_of_72_counts(handling: PasswordHandling) -> None:
    password_hash = handling.hash_password("x" * 71 + "y")
    assert handling.check_password("x" * 71 + "y", password_hash) is True
    assert handling.check_password("x" * 72, password_hash) is False


@any_password
@hypothesis.given(password=HASHABLE)
def test_every_password_checks_against_its_own_hash(
    handling: PasswordHandling, password: bytes
) -> None:
    password_hash = handling.hash_password(password)
    assert password_hash.startswith("$2b$04$")
    assert handling.check_password(password, password_hash)
    assert handling.check_password(password, password_hash.encode())


@any_password
@hypothesis.given(password=TEXT)
def test_text_is_its_utf_8(handling: PasswordHandling, password: str) -> None:
    assert handling.check_password(password, handling.hash_password(password.encode()))
    assert handling.check_password(password.encode(), handling.hash_password(password))


@any_password
@hypothesis.given(password=HASHABLE, other=HASHABLE)
def test_another_password_does_not_check(
    handling: PasswordHandling, password: bytes, other: bytes
) -> None:
    hypothesis.assume(password != other)
    assert not handling.check_password(other, handling.hash_password(password))


@any_password
@hypothesis.given(password=HASHABLE, more=st.binary(min_size=1, max_size=9).filter(all))
def test_checking_ignores_what_is_behind_72_bytes(
    handling: PasswordHandling, password: bytes, more: bytes
) -> None:
    filled = password.ljust(72, b"x")
    assert handling.check_password(filled + more, handling.hash_password(filled))


def test_two_hashes_of_a_password_differ(handling: PasswordHandling) -> None:
    assert handling.hash_password("hunter2") != handling.hash_password("hunter2")


@pytest.mark.parametrize("password", ["x" * 73, b"x" * 73, "é" * 37])
def test_a_long_password_is_not_hashed(handling: PasswordHandling, password: str | bytes) -> None:
    length = len(password.encode() if isinstance(password, str) else password)
    with pytest.raises(PasswordTooLong, match=f"{length} bytes"):
        handling.hash_password(password)


def test_a_nul_is_refused_as_bcrypt_would_take_a_repetition_for_the_password(
    handling: PasswordHandling,
) -> None:
    password_hash = handling.hash_password("ab")
    with pytest.raises(PasswordHasNul):
        handling.check_password(b"ab\0ab", password_hash)
    with pytest.raises(PasswordHasNul):
        handling.hash_password(b"ab\0ab")


def test_half_a_surrogate_pair_is_refused(handling: PasswordHandling) -> None:
    password_hash = handling.hash_password("x")
    for act in (handling.hash_password, lambda p: handling.check_password(p, password_hash)):
        with pytest.raises(PasswordNotText):
            act("\ud83d")
    with pytest.raises(PasswordHashInvalid):
        handling.check_password("x", password_hash[:-1] + "\ud83d")


@pytest.mark.parametrize("wrong", [None, 7, bytearray(b"x"), ["x"]])
def test_other_types_are_type_errors(handling: PasswordHandling, wrong: object) -> None:
    password_hash = handling.hash_password("x")
    with pytest.raises(TypeError, match="password must be str or bytes"):
        handling.hash_password(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="password must be str or bytes"):
        handling.check_password(wrong, password_hash)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="password hash must be str or bytes"):
        handling.check_password("x", wrong)  # type: ignore[arg-type]


def test_the_class_hashes_with_ten_rounds_by_default(settings: Settings) -> None:
    assert settings.debug.testing
    assert PasswordHandling().salt_rounds == 10
    assert PasswordHandling().hash_password("x").startswith("$2b$10$")


def test_the_class_has_no_policy_by_default(handling: PasswordHandling) -> None:
    assert handling.hash_password("password")
    handling.policy = PasswordsSettings()
    with pytest.raises(PasswordTooCommon):
        handling.hash_password("password")


def test_cheap_hashes_are_for_tests(
    handling: PasswordHandling, toml_conf: dict[str, object]
) -> None:
    # Given settings of a service that is no test
    toml_conf.clear()
    current_settings.cache_clear()
    # When a hash of nine rounds is asked for
    handling.salt_rounds = 9
    # Then it is refused
    with pytest.raises(RoundsOutOfRange, match="10 to 16"):
        handling.hash_password("x")


def test_the_class_hashes_a_password_as_it_comes(handling: PasswordHandling) -> None:
    # Given text that has another form, and text that nobody sees
    for password in ("cafe\u0301", "\u00a0", ""):
        # When the class hashes it, then the hash is of its UTF-8 and of nothing else
        password_hash = handling.hash_password(password)
        assert bcrypt.checkpw(password.encode(), password_hash.encode())
        assert handling.check_password(password, password_hash)


@pytest.mark.usefixtures("settings")
def test_the_class_confirms_a_hash_that_a_worker_made(handling: PasswordHandling) -> None:
    password_hash = hash_password(Secret("cafe\u0301"))["password_hash"]
    assert handling.check_password("cafe\u0301", password_hash)
    assert handling.check_password("caf\u00e9", password_hash)


@pytest.mark.usefixtures("settings")
class TestMessages:
    """The actors behind HASH_PASSWORD and CHECK_PASSWORD."""

    @pytest.mark.parametrize("rounds", [3, 17, True, "10", 10.0])
    def test_hash_password_refuses_other_rounds(self, rounds: int) -> None:
        with pytest.raises(RoundsOutOfRange, match="4 to 16"):
            hash_password(Secret("x"), rounds=rounds)

    def test_bytes_arrive_as_they_were_sent(self) -> None:
        password = Secret.of(b"\xff\xfe")
        hashed = hash_password(password)["password_hash"]
        assert check_password(password, Secret(hashed)) == {"valid": True, "needs_rehash": False}

    @pytest.mark.parametrize(
        ("password_hash", "needs_rehash"),
        [
            ("$2b$04$cVWp4XaNU8a4v1uMRum2SO026BWLIoQMD/TXg5uZV.0P.uO8m3YEm", False),
            ("$2a$04$cVWp4XaNU8a4v1uMRum2SO026BWLIoQMD/TXg5uZV.0P.uO8m3YEm", True),
            ("$2y$04$cVWp4XaNU8a4v1uMRum2SO026BWLIoQMD/TXg5uZV.0P.uO8m3YEm", True),
        ],
    )
    def test_an_old_prefix_needs_a_rehash(self, password_hash: str, needs_rehash: bool) -> None:
        # The vector is one of pyca/bcrypt's; its three prefixes name the same algorithm.
        answer = check_password(Secret("Kk4DQuMMfZL9o"), Secret(password_hash))
        assert answer == {"valid": True, "needs_rehash": needs_rehash}

    @pytest.mark.parametrize(("rounds", "needs_rehash"), [(4, True), (5, False), (6, False)])
    def test_fewer_rounds_than_configured_need_a_rehash(
        self, rounds: int, needs_rehash: bool, toml_conf: dict[str, object]
    ) -> None:
        # Given a hash, and settings that ask for five rounds
        password_hash = hash_password(Secret("x"), rounds)["password_hash"]
        toml_conf["Passwords"] = {"rounds": 5, "policy": False}
        current_settings.cache_clear()
        # Then only one that was made with fewer is out of date
        answer = check_password(Secret("x"), Secret(password_hash))
        assert answer == {"valid": True, "needs_rehash": needs_rehash}

    @pytest.mark.parametrize(
        ("registered", "typed"),
        [
            ("cafe\u0301 au lait", "caf\u00e9 au lait"),
            ("caf\u00e9 au lait", "cafe\u0301 au lait"),
            ("two\u00a0words", "two words"),
            # Each of these jamo takes three bytes, and the syllable that they make three as well
            ("\u1112\u1161\u11ab" * 20, "\ud55c" * 20),
        ],
    )
    def test_the_same_visible_password_is_right(self, registered: str, typed: str) -> None:
        # Given a password that was typed on one system
        stored = Secret(hash_password(Secret(registered))["password_hash"])
        # When another system sends it in other bytes, then it is right, and needs nothing more
        assert check_password(Secret(typed), stored) == {"valid": True, "needs_rehash": False}

    def test_full_width_is_another_password(self) -> None:
        stored = Secret(hash_password(Secret("\uff50\uff41\uff53\uff53"))["password_hash"])
        assert not check_password(Secret("pass"), stored)["valid"]

    def test_a_hash_of_other_bytes_goes_on_and_is_replaced(self) -> None:
        # Given a hash of an earlier release, which did not normalise
        typed = Secret("cafe\u0301")
        old = Secret(bcrypt.hashpw(typed.reveal_bytes(), bcrypt.gensalt(4)).decode())
        # When its user signs in
        answer = check_password(typed, old, rehash=True)
        # Then the password is right, and the new hash is of its usual form
        assert (answer["valid"], answer["needs_rehash"]) == (True, True)
        assert bcrypt.checkpw("caf\u00e9".encode(), answer["password_hash"].encode())

    @pytest.mark.parametrize("blank", ["", " " * 9, "\u200b" * 9])
    def test_what_nobody_sees_is_no_new_password(self, blank: str) -> None:
        with pytest.raises(PasswordBlank):
            hash_password(Secret(blank))

    @pytest.mark.parametrize(
        "password",
        [
            *(b"too long" * 10, ("cafe\u0301" * 13).encode(), "\u00e9".encode() * 37),
            *(b"password", b"x", b"", b"   ", b"\xff\xfe"),
        ],
    )
    def test_any_password_that_is_right_is_rehashed(self, password: bytes) -> None:
        # Given a hash that another library made of a password which no new user may have
        typed = Secret.of(password)
        old = bcrypt.hashpw(password[:72], bcrypt.gensalt(4, prefix=b"2a"))
        # When it is checked
        answer = check_password(typed, Secret(old.decode()), rehash=True)
        # Then it comes back with a new hash
        assert (answer["valid"], answer["needs_rehash"]) == (True, True)
        stored = Secret(answer["password_hash"])
        assert stored.reveal().startswith("$2b$04$")
        # Which the next sign-in finds in order
        again = check_password(typed, stored, rehash=True)
        assert again == {"valid": True, "needs_rehash": False}

    def test_of_a_long_password_bcrypt_goes_on_to_see_what_it_saw(self) -> None:
        old = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4, prefix=b"2a")).decode()
        answer = check_password(Secret("x" * 72 + "tail"), Secret(old), rehash=True)
        assert bcrypt.checkpw(b"x" * 72, answer["password_hash"].encode())

    def test_a_new_hash_is_no_weaker_than_the_old_one(self) -> None:
        old = bcrypt.hashpw(b"x", bcrypt.gensalt(6, prefix=b"2a")).decode()
        answer = check_password(Secret("x"), Secret(old), rehash=True)
        assert answer["password_hash"].startswith("$2b$06$")

    @pytest.mark.parametrize("password", ["wrong", "cafe\u0301"])
    def test_no_such_user_takes_as_long_as_a_wrong_password(
        self, password: str, toml_conf: dict[str, object]
    ) -> None:
        # Given a user's hash of the configured rounds
        toml_conf["Passwords"] = {"rounds": 8, "policy": False}
        current_settings.cache_clear()
        stored = Secret(hash_password(Secret("x"))["password_hash"])
        # When a wrong password is checked against it, and against no hash
        known, unknown = (
            min(seconds_of_check(password, each) for _ in range(3)) for each in (stored, None)
        )
        # Then both take the time of a hash, or of two for a password of two forms
        assert 0.6 < known / unknown < 1.6

    def test_a_nul_is_refused_without_a_user_too(self) -> None:
        with pytest.raises(PasswordHasNul):
            check_password(Secret("a\0b"), None)


def seconds_of_check(password: str, password_hash: Secret | None) -> float:
    began = time.process_time()
    assert not check_password(Secret(password), password_hash)["valid"]
    return time.process_time() - began
