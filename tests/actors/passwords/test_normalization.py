"""Normalisation: the same visible password is the same bytes, and one that nobody sees is none."""

from __future__ import annotations

import unicodedata

import hypothesis
import pytest
from hypothesis import strategies as st

from actors.passwords.errors import PasswordBlank
from actors.passwords.normalization import check_visible, list_candidates, normalize_password

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.mark.parametrize(
    ("typed", "normalized"),
    [
        # RFC 8265 section 4.3, table 4: what the profile leaves alone
        ("correct horse battery staple", "correct horse battery staple"),
        ("Correct Horse Battery Staple", "Correct Horse Battery Staple"),
        ("πßå", "πßå"),
        ("Jack of ♦s", "Jack of ♦s"),
        # The same table, and each other space of category Zs
        ("foo\u1680bar", "foo bar"),
        *(("foo" + space + "bar", "foo bar") for space in "\u00a0\u2000\u2009\u202f\u205f\u3000"),
        # One character or two, in either order of its marks
        ("cafe\u0301", "caf\u00e9"),
        ("s\u0307\u0323", "\u1e69"),
        ("\u212b", "\u00e5".upper()),
        # Width and compatibility are not mapped (section 4.2.1, rule 1)
        ("\uff50\uff41\uff53", "\uff50\uff41\uff53"),
        ("ﬁne ²", "ﬁne ²"),
        # Emoji of several parts stay whole
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_text_is_mapped_as_opaque_string_says(typed: str, normalized: str) -> None:
    assert normalize_password(typed.encode()) == normalized.encode()


@pytest.mark.parametrize("password", [b"\xff\xfe", b"e\xcc\x81\xff", "e\u0301".encode() * 2000])
def test_other_bytes_and_endless_text_stay_as_they_are(password: bytes) -> None:
    assert normalize_password(password) == password


@hypothesis.given(TEXT)
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalize_password(text.encode())
    assert normalize_password(once) == once
    # And it does not depend on the form that a keyboard sends
    decomposed = unicodedata.normalize("NFD", text)
    assert normalize_password(decomposed.encode()) == once


@hypothesis.given(TEXT.filter(lambda text: "\0" not in text))
def test_the_bytes_as_they_came_are_tried_last(text: str) -> None:
    candidates = list_candidates(text.encode())
    assert candidates[0] == normalize_password(text.encode())[:72]
    assert candidates[-1] == text.encode()[:72]
    assert len(candidates) == len(set(candidates)) <= 2


@pytest.mark.parametrize(
    "text",
    [
        *("", " " * 12, "\t\n\r ", "\u00a0\u3000", "\u200b\u200c\u200d\u2060\ufeff"),
        *("\u00ad" * 8, "\u200b " * 8, "\u034f\ufe0f", "\u3164\u115f\uffa0", "\U000e0020\u2800"),
    ],
)
def test_a_password_without_a_visible_character_is_refused(text: str) -> None:
    with pytest.raises(PasswordBlank, match="no visible character"):
        check_visible(text.encode())


@pytest.mark.parametrize(
    "password", [b"   x", "\u200b.\u200b".encode(), b" \xff", "\u0301".encode()]
)
def test_one_visible_character_is_enough(password: bytes) -> None:
    check_visible(password)
