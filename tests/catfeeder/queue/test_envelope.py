"""The envelope: the key that sealed a value says whose it is, and no byte can be changed."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from catfeeder.errors import InvalidQueueKey, SealBroken
from catfeeder.queue.envelope import AppSealer, ServiceSealer
from catfeeder.queue.keys import SERVICE, AppKey, KeyName
from catfeeder.sealing import Key, Sealer

ROOT, OLD_ROOT = Key(b"r" * 32), Key(b"o" * 32)
SHOP, BOT = (AppKey.derive(ROOT, app, 1) for app in ("web-shop", "bot"))


def name(key: AppKey) -> KeyName:
    """Return the name of a key without its id."""
    return KeyName(key.app, key.generation)


def test_an_app_and_the_service_read_each_other_and_no_other_app_does() -> None:
    shop, bot, service = AppSealer([SHOP]), AppSealer([BOT]), ServiceSealer([ROOT])
    # When an app asks
    asked = shop.seal(b"a password", "message")
    # Then the service reads it, and learns from the key alone whose it is
    opened = service.open(asked, "message")
    assert (opened.plaintext, opened.key[:2]) == (b"a password", ("web-shop", 1))
    # And answers under that key
    answered = service.seal(b"a result", "job:1", opened.key)
    assert shop.open(answered, "job:1").plaintext == b"a result"
    # And another app reads neither, nor what the service seals for itself
    for sealed, context in ((asked, "message"), (answered, "job:1"), (service.seal(b"x", ""), "")):
        with pytest.raises(SealBroken, match="not sealed with our queue key"):
            bot.open(sealed, context)
    assert service.open(service.seal(b"x", ""), "").key is SERVICE


def test_an_app_cannot_seal_for_another_or_for_the_service() -> None:
    for other in (SERVICE, name(BOT), KeyName("web-shop", 2)):
        with pytest.raises(SealBroken):
            AppSealer([SHOP]).seal(b"x", "message", other)


@hypothesis.given(at=st.integers(0, 60), mask=st.integers(1, 255))
def test_no_byte_of_header_or_ciphertext_can_be_changed(at: int, mask: int) -> None:
    sealed = bytearray(AppSealer([SHOP]).seal(b"x" * 11, "message"))
    assert len(sealed) == 1 + 4 + 1 + 8 + 4 + 12 + 11 + 16
    sealed[at % len(sealed)] ^= mask
    for sealer in (ServiceSealer([ROOT]), AppSealer([SHOP, BOT])):
        with pytest.raises(SealBroken):
            sealer.open(bytes(sealed), "message")


@hypothesis.given(foreign=st.binary(max_size=80) | st.binary(max_size=80).map(b"\x02".__add__))
def test_foreign_bytes_are_one_kind_of_error_and_leave_nothing(foreign: bytes) -> None:
    service = ServiceSealer([ROOT])
    with pytest.raises(SealBroken):
        service.open(foreign, "message")
    assert not service._ciphers


@pytest.mark.parametrize(
    ("sealed", "reason"),
    [
        (b"", "header is not that"),
        (Sealer([ROOT]).seal(b"x", "message"), "of format 1"),
        (b"\x02" + b"k" * 4 + b"\x08web-shop" + bytes(4) + bytes(40), "header is not that"),
        (b"\x02" + b"k" * 4 + b"\x08Web-shop" + b"\0\0\0\1" + bytes(40), "header is not that"),
        (b"\x02" + b"k" * 4 + b"\x00" + b"\0\0\0\1" + bytes(40), "header is not that"),
        (b"\x02" + b"k" * 4 + b"\xff" + bytes(40), "header is not that"),
        (AppSealer([SHOP]).seal(b"x", "elsewhere"), "not sealed with our"),
        (AppSealer([SHOP]).seal(b"x", "message")[:30], "not sealed with our"),
        (AppSealer([AppKey.derive(OLD_ROOT, "bot", 1)]).seal(b"", "message"), "not sealed with"),
    ],
    ids=range(9),
)
def test_what_does_not_open_has_its_reason(sealed: bytes, reason: str) -> None:
    with pytest.raises(SealBroken, match=reason):
        ServiceSealer([ROOT]).open(sealed, "message")


def test_while_secret_key_changes_each_app_is_answered_under_the_key_it_has() -> None:
    # Given an app that has the key of the former SECRET_KEY alone
    app = AppSealer([AppKey.derive(OLD_ROOT, "web-shop", 1)])
    service = ServiceSealer([ROOT, OLD_ROOT])
    # When it asks
    opened = service.open(app.seal(b"x", "message"), "message")
    # Then it reads the answer
    assert app.open(service.seal(b"y", "job:1", opened.key), "job:1").plaintext == b"y"
    # And its name survives being written
    assert KeyName.parse(str(opened.key)) == opened.key


def test_a_revoked_key_opens_nothing_and_another_goes_on() -> None:
    def check(key: KeyName) -> None:
        if key.app == "web-shop" and key.generation < 2:
            raise SealBroken("Its queue key was revoked.")

    service = ServiceSealer([ROOT], check)
    with pytest.raises(SealBroken, match="revoked"):
        service.open(AppSealer([SHOP]).seal(b"x", "message"), "message")
    for key in (AppKey.derive(ROOT, "web-shop", 2), BOT):
        assert service.open(AppSealer([key]).seal(b"x", "message"), "message").plaintext == b"x"


def test_a_key_survives_being_written_and_prints_nothing() -> None:
    assert AppKey.parse(SHOP.to_text()) == SHOP
    assert SHOP.to_text().startswith("cfq_web-shop.1.")
    assert len(SHOP.to_text()) == len("cfq_web-shop.1.") + 43
    assert SHOP.key.hex() not in repr(SHOP)
    assert "key" not in repr(SHOP)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x" * 43, "of an earlier release"),
        *(
            (text, "is not one that")
            for text in (
                "",
                "cfq_web-shop.1",
                "cfq_web-shop.0." + "x" * 43,
                "cfq_web-shop.4294967296." + "x" * 43,
                "cfq_web-shop.1." + "x" * 42,
                "cfq_Web.1." + "x" * 43,
                "cfk_web-shop.1." + "x" * 43,
                "cfq_web-shop.\u0661." + "x" * 43,
                " " + SHOP.to_text(),
                SHOP.to_text() + "\n",
            )
        ),
    ],
    ids=range(11),
)
def test_text_that_is_no_key_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InvalidQueueKey, match=sentence):
        AppKey.parse(text)
