"""Sealing: a value opens in its place with its key, and nowhere and with nothing else."""

from __future__ import annotations

import logging
import traceback

import hypothesis
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import strategies as st

from catfeeder.errors import InvalidQueueKey, SealBroken
from catfeeder.sealing import (
    DATABASE_LABEL,
    QUEUE_LABEL,
    Key,
    KeyRing,
    Sealer,
    Secret,
    derive_key,
    key_from_text,
    key_id,
    key_to_text,
)

OLD, NEW, FOREIGN = (Key(letter * 32) for letter in (b"o", b"n", b"f"))


@hypothesis.given(plaintext=st.binary(max_size=300), context=st.text(max_size=30))
def test_a_sealed_value_opens_in_its_place(plaintext: bytes, context: str) -> None:
    sealer = Sealer([NEW])
    assert sealer.open(sealer.seal(plaintext, context), context) == plaintext


@hypothesis.given(context=st.text(max_size=30), other=st.text(max_size=30))
def test_it_opens_nowhere_else(context: str, other: str) -> None:
    hypothesis.assume(context != other)
    sealer = Sealer([NEW])
    with pytest.raises(SealBroken):
        sealer.open(sealer.seal(b"x", context), other)


@hypothesis.given(at=st.integers(0, 40), mask=st.integers(1, 255))
def test_no_byte_of_it_can_be_changed(at: int, mask: int) -> None:
    sealer = Sealer([NEW])
    sealed = bytearray(sealer.seal(b"eight by", "here"))
    assert len(sealed) == 41
    sealed[at] ^= mask
    with pytest.raises(SealBroken):
        sealer.open(bytes(sealed), "here")


@hypothesis.given(foreign=st.binary(max_size=60))
def test_foreign_bytes_are_one_kind_of_error(foreign: bytes) -> None:
    with pytest.raises(SealBroken):
        Sealer([NEW]).open(foreign, "here")


def test_a_prefix_of_it_does_not_open() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal(b"", "here")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            sealer.open(sealed[:length], "here")


def test_the_form_is_the_documented_one() -> None:
    # Given something sealed
    sealed = Sealer([NEW]).seal(b"x", "here")
    # Then version, key id, nonce and ciphertext stand where the module says
    assert sealed[:1] == b"\x01"
    assert sealed[1:5] == key_id(NEW)
    assert AESGCM(NEW).decrypt(sealed[5:17], sealed[17:], b"here") == b"x"


def test_equal_values_are_sealed_differently() -> None:
    sealer = Sealer([NEW])
    assert len({sealer.seal(b"x", "here") for _ in range(100)}) == 100


def test_a_ring_opens_with_any_key_and_seals_with_the_first() -> None:
    ring = Sealer([NEW, OLD])
    assert ring.open(Sealer([OLD]).seal(b"x", "here"), "here") == b"x"
    assert Sealer([NEW]).open(ring.seal(b"x", "here"), "here") == b"x"
    assert ring.key_ids == {key_id(NEW), key_id(OLD)}
    assert ring.current_key_id == key_id(NEW)


def test_another_key_does_not_open() -> None:
    with pytest.raises(SealBroken):
        Sealer([NEW, OLD]).open(Sealer([FOREIGN]).seal(b"x", "here"), "here")


def test_the_prefix_marks_values_of_the_current_key() -> None:
    ring = Sealer([NEW, OLD])
    assert ring.seal(b"x", "here").startswith(ring.current_prefix)
    assert not Sealer([OLD]).seal(b"x", "here").startswith(ring.current_prefix)


def test_a_key_ring_yields_keys_of_each_secret_key_for_each_purpose() -> None:
    # Given a SECRET_KEY, and the one before it
    ring = KeyRing(["new" * 11, "old" * 11])
    # Then there is a key of each, the current one first
    new, old = (derive_key(Secret(text * 11), QUEUE_LABEL) for text in ("new", "old"))
    assert ring.keys(QUEUE_LABEL) == [new, old]
    assert ring.sealer(QUEUE_LABEL).current_key_id == key_id(new)
    assert ring.sealer(QUEUE_LABEL).open(Sealer([old]).seal(b"x", "here"), "here") == b"x"
    # And those for another purpose are others
    assert not ring.sealer(DATABASE_LABEL).key_ids & ring.sealer(QUEUE_LABEL).key_ids


def test_a_key_ring_prints_nothing() -> None:
    ring = KeyRing(["hunter2" * 5])
    assert "hunter2" not in f"{ring!r} {vars(ring)}"


def test_keys_are_derived_by_hkdf() -> None:
    # RFC 5869, A.3: no salt and no info; of its 42 bytes the first 32.
    derived = derive_key(Secret("\x0b" * 22), "")
    assert derived.hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


@hypothesis.given(key=st.binary(min_size=32, max_size=32))
def test_a_key_survives_being_written(key: bytes) -> None:
    text = key_to_text(Key(key))
    assert key_from_text(text) == key
    assert len(text) == 43


@pytest.mark.parametrize(
    "text",
    ["", "x", "x" * 42, "x" * 44, "x" * 43 + "!!!!", "x" * 42 + "é", " " + "x" * 43, "x" * 86],
)
def test_text_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidQueueKey):
        key_from_text(text)


def test_a_secret_prints_nothing(caplog: pytest.LogCaptureFixture) -> None:
    # Given a secret
    secret = Secret("hunter2")
    # When it is printed in every way that happens by accident
    logging.getLogger("x").error("%s %r", secret, {"password": [secret]})
    try:
        raise KeyError(secret)
    except KeyError:
        trace = traceback.format_exc()
    prints = [str(secret), repr(secret), f"{secret}", f"{secret!r:>20}", caplog.text, trace]
    # Then nothing of it is there
    assert not [text for text in prints if "hunter2" in text]


def test_a_secret_reveals_itself_when_asked() -> None:
    assert Secret("hunter2").reveal() == "hunter2"
    assert Secret.of("żółw").reveal_bytes() == "żółw".encode()


@hypothesis.given(value=st.binary())
def test_a_secret_keeps_every_byte(value: bytes) -> None:
    assert Secret.of(value).reveal_bytes() == value


def test_secrets_are_equal_when_their_texts_are() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a")
    assert not Secret("")
