"""Further members of answers: picked by name, bounded, and never a token."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.providers.http.members import (
    OF_CALLBACKS,
    OF_TOKEN_ANSWERS,
    is_secret_name,
    pick_members,
)
from catfeeder.sealing import Secret
from models.oauth.grants import MAX_METADATA_BYTES, merge_metadata

_TOKEN = Secret("the-access-token")
_JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"


@pytest.mark.parametrize(
    ("answer", "names", "picked"),
    [
        (
            {"instance_url": "https://a", "scope": "x"},
            ["instance_url"],
            {"instance_url": "https://a"},
        ),
        ({"team": {"id": "T1", "n": 1}}, ["team"], {"team": {"id": "T1", "n": 1}}),
        ({"team": {"id": "T1"}}, ["team.id", "team.no"], {"team.id": "T1"}),
        ({"a.b": "whole"}, ["a.b"], {"a.b": "whole"}),
        (
            {"livemode": False, "n": 0, "none": None, "e": ""},
            ["livemode", "n", "none", "e"],
            {"livemode": False, "n": 0},
        ),
        ({"a": "x\ny\x00"}, ["a"], {"a": "x y\ufffd"}),
        # Never a token: by its name, at any depth, by its value, or by its form
        (
            {"access_token": "x", "bot_token": "y", "apiKey": "z"},
            ["access_token", "bot_token", "apiKey"],
            {},
        ),
        ({"user": {"id": "U1", "access_token": "x"}}, ["user"], {"user": {"id": "U1"}}),
        ({"hooks": [{"url": "u", "token": "t"}]}, ["hooks"], {"hooks": [{"url": "u"}]}),
        ({"a": "Bearer the-access-token", "b": {"c": "the-access-token"}}, ["a", "b"], {}),
        ({"a": _JWT, "b": "kept"}, ["a", "b"], {"b": "kept"}),
        # Bounded in depth and size; what fits is kept
        (
            {"deep": {"b": {"c": {"d": {"e": {"f": "g"}}}}}},
            ["deep"],
            {"deep": {"b": {"c": {"d": {}}}}},
        ),
        ({"a": "x" * 5000, "b": "kept"}, ["a", "b"], {"b": "kept"}),
    ],
)
def test_members_are_picked(
    answer: dict[str, Any], names: list[str], picked: dict[str, Any]
) -> None:
    assert pick_members(answer, names, [_TOKEN, None]) == picked


@pytest.mark.parametrize("names", [OF_TOKEN_ANSWERS, OF_CALLBACKS])
def test_the_usual_names_are_no_secrets(names: tuple[str, ...]) -> None:
    assert [name for name in names if is_secret_name(name)] == []
    assert len(set(names)) == len(names)


def test_the_latest_members_come_first_where_space_is_short() -> None:
    known = {"old": "x" * 3000, "url": "a"}
    assert merge_metadata(known, {"url": "a"}) is None
    assert merge_metadata(None, {}) is None
    assert merge_metadata(known, {"url": "b"}) == {"url": "b", "old": "x" * 3000}
    merged = merge_metadata(known, {"new": "y" * 3000})
    assert merged == {"new": "y" * 3000, "url": "a"}
    assert len(json.dumps(merged)) <= MAX_METADATA_BYTES
