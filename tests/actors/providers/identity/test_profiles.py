"""Tests of the normalised profile: one shape, and addresses verified only where proven."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.providers.errors import ProviderMisbehaved
from actors.providers.identity.profiles import normalise, subject_text
from actors.providers.protocol.provider_builder import (
    Credentials,
    build_provider,
    presets,
    with_base_url,
)
from catfeeder.results import Profile
from tests.actors.providers.any_json import any_json


def profile_of(raw: dict[str, Any], preset: str | None = None, **metadata: Any) -> Profile:
    endpoints = {
        "authorization_endpoint": "https://idp.example/authorize",
        "token_endpoint": "https://idp.example/token",
    }
    known = presets()[preset] if preset else endpoints
    return normalise(
        build_provider("scripted", with_base_url({**known, **metadata}), Credentials("client")), raw
    )


def test_a_profile_has_the_same_parts_for_every_provider() -> None:
    raw = {
        "sub": "248289761001",
        "name": "Jane Doe",
        "email": "jane@example.com",
        "email_verified": True,
        "picture": "https://example.com/jane.jpg",
        "locale": {"country": "US"},
    }

    assert profile_of(raw) == {
        "provider": "scripted",
        "subject": "248289761001",
        "email": "jane@example.com",
        "email_verified": True,
        "name": "Jane Doe",
        "picture": "https://example.com/jane.jpg",
        "source": "userinfo",
        "raw": raw,
    }
    assert profile_of({"sub": "1"}) == {
        "provider": "scripted",
        "subject": "1",
        "email": None,
        "email_verified": None,
        "name": None,
        "picture": None,
        "source": "userinfo",
        "raw": {"sub": "1"},
    }


@pytest.mark.parametrize(
    ("claim", "verified"),
    [
        *((true, True) for true in (True, "true", "True")),
        *((false, False) for false in (False, "false")),
        *((other, None) for other in (None, "", "yes", 1, 0, [True], {"true": True})),
    ],
)
def test_an_address_is_verified_when_the_provider_says_so(
    claim: object, verified: bool | None
) -> None:
    raw = {"sub": "1", "email": "jane@example.com", "email_verified": claim}

    assert profile_of(raw)["email_verified"] is verified


def test_a_missing_address_is_neither_verified_nor_unverified() -> None:
    for trust in ("claim", "present", "never"):
        profile = profile_of({"sub": "1", "email_verified": True}, email_trust=trust)
        assert (profile["email"], profile["email_verified"]) == (None, None)


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        *((text, text) for text in ("jane", "x" * 255, "J\u00e4ne")),
        *((number, str(number)) for number in (42, 0, 2**70)),
        *((none, None) for none in (None, "", " ", " jane", "ja\nne", "ja\u2028ne", "ja\ufffdne")),
        *((none, None) for none in ("x" * 256, True, 1.0, ["jane"], {"id": 1})),
    ],
)
def test_a_subject_is_text_that_a_column_holds(value: object, subject: str | None) -> None:
    assert subject_text(value) == subject


@pytest.mark.parametrize("raw", [{}, {"sub": None}, {"sub": ""}, {"sub": True}, {"id": "1"}])
def test_an_answer_without_a_subject_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(ProviderMisbehaved, match="does not name the user"):
        profile_of(raw)


def test_profile_paths_may_be_deep_and_missing() -> None:
    paths = {"subject": "user.id", "picture": "user.images.large"}

    assert profile_of({"user": {"id": 7, "images": []}}, profile=paths)["picture"] is None
    found = profile_of({"user": {"id": 7, "images": {"large": "http://a.b/c"}}}, profile=paths)
    assert (found["subject"], found["picture"]) == ("7", "http://a.b/c")
    with pytest.raises(ProviderMisbehaved):
        profile_of({"user": "jane"}, profile=paths)


@pytest.mark.parametrize(
    "picture",
    [
        *("javascript:alert(1)", "data:text/html,x", "//example.com/x", "x"),
        *("https://a b", "https://a/\nb", "https://", 5, {"data": {}}),
    ],
)
def test_a_picture_is_an_http_url_or_null(picture: object) -> None:
    # So that a page may show it unescaped
    assert profile_of({"sub": "1", "picture": picture})["picture"] is None


@pytest.mark.parametrize(
    "email",
    [
        *("jane", "@example.com", "jane@", "jane@a@b", "jane doe@example.com"),
        *("jane@example.com\r\nBcc: x@example.com", "jane@exam\ufffdple.com"),
        *("x" * 65 + "@example.com", ["jane@example.com"], 5),
    ],
)
def test_an_invalid_email_is_left_out(email: object) -> None:
    profile = profile_of({"sub": "1", "email": email, "email_verified": True})

    assert (profile["email"], profile["email_verified"]) == (None, None)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (" Jane\r\n\tDoe\u2028x ", "Jane Doe x"),
        ("Jos\u00e9 \U0001f600", "Jos\u00e9 \U0001f600"),
        ("\n", None),
        ({"first": "Jane"}, None),
    ],
)
def test_a_name_is_one_line(value: object, name: str | None) -> None:
    assert profile_of({"sub": "1", "name": value})["name"] == name


_JSON = any_json()


@given(
    raw=st.dictionaries(
        st.sampled_from(["sub", "id", "email", "email_verified", "name", "picture", "data"]), _JSON
    ),
    preset=st.sampled_from([None, *presets()]),
)
def test_any_answer_is_a_profile_or_a_typed_error(raw: dict[str, Any], preset: str | None) -> None:
    try:
        profile = profile_of(raw, preset)
    except ProviderMisbehaved:
        return
    assert 1 <= len(profile["subject"] or "") <= 255
    assert profile["email_verified"] in (True, False, None)
    assert all("\n" not in (profile[part] or "") for part in ("email", "name", "picture"))


@pytest.mark.parametrize(
    ("raw", "path", "name"),
    [
        ({"given_name": "Jane", "family_name": "Doe"}, None, "Jane Doe"),
        ({"given_name": " Jane\n"}, None, "Jane"),
        ({"family_name": "Doe", "name": ""}, None, "Doe"),
        ({"given_name": "Jane", "family_name": "Doe", "name": "Dr. Jane"}, None, "Dr. Jane"),
        ({"given_name": 5, "family_name": ["Doe"]}, None, None),
        ({"first": "Jane", "last": "Doe"}, "first + last", "Jane Doe"),
        ({"name": {"first": "Jane", "last": None}}, "name.first + name.last", "Jane"),
        ({"given_name": "Jane"}, "display_name", "Jane"),
    ],
)
def test_a_name_in_parts_is_joined(raw: dict[str, Any], path: str | None, name: str | None) -> None:
    # OpenID Connect Core section 5.1
    profile = {"name": path} if path else {}

    assert profile_of({"sub": "1", **raw}, profile=profile)["name"] == name


@pytest.mark.parametrize(
    ("path", "email"),
    [
        ("emails[primary=true].email", "b@b.example"),
        ("emails[kind=work][primary=false].email", "a@a.example"),
        ("emails[2].email", "c@c.example"),
        ("emails.1.email", "b@b.example"),
        ("data.attributes.email", "d@d.example"),
        ("emails[kind=none].email", None),
        ("emails[9].email", None),
        ("data[kind=x].attributes.email", "d@d.example"),
        ("emails[primary=true]", None),
    ],
)
def test_a_path_leads_to_the_entry_of_a_list_that_is_meant(path: str, email: str | None) -> None:
    raw = {
        "sub": "1",
        "emails": [
            {"email": "a@a.example", "primary": False, "kind": "work"},
            {"email": "b@b.example", "primary": True, "kind": "home"},
            {"email": "c@c.example", "primary": False, "kind": "home"},
        ],
        # As JSON:API has it
        "data": {"kind": "x", "attributes": {"email": "d@d.example"}},
    }

    assert profile_of(raw, profile={"email": path})["email"] == email
