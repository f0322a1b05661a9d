"""Languages of the pages for users: the same words in each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from worker.http.pages.languages import _FOLDER, LANGUAGES, read_language


def _walk(words: dict[str, Any], path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield the path of each text, and the names in braces that it has."""
    for name, value in words.items():
        if isinstance(value, dict):
            yield from _walk(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", sorted(re.findall(r"\{\w+\}", value))


@pytest.mark.parametrize("tag", LANGUAGES[1:])
def test_each_language_says_all_that_english_says(tag: str) -> None:
    english, words = dict(_walk(read_language("en").words)), dict(_walk(read_language(tag).words))
    assert words == english


@pytest.mark.parametrize("tag", LANGUAGES[1:])
def test_no_text_was_left_in_english(tag: str) -> None:
    english, words = read_language("en").words, read_language(tag).words
    same = [
        name for name in english if isinstance(english[name], dict) and english[name] == words[name]
    ]
    assert same == []


@pytest.mark.parametrize("tag", LANGUAGES)
def test_a_notice_that_names_a_provider_has_words_for_one_without_a_name(tag: str) -> None:
    words = read_language(tag).words["connect"]
    naming = {name for name, text in words["notices"].items() if "{provider}" in text}
    assert words["notices_unnamed"].keys() == naming


@pytest.mark.parametrize("tag", LANGUAGES)
def test_each_language_is_set_as_its_readers_expect(tag: str) -> None:
    text = (_FOLDER / f"{tag}.toml").read_text(encoding="utf-8")
    texts = [line.partition(" = ")[2] for line in text.splitlines() if " = " in line]
    assert not [it for it in texts if re.search(r"\w'\w", it)]
    # French keeps a space before these, at which no line breaks; the others have none.
    wrong = r"[ \w}][:;!?](?:[ \"]|$)" if tag == "fr" else r"\s[:;!?]"
    assert not [it for it in texts if re.search(wrong, it)]
