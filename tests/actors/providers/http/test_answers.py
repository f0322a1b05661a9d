"""Tests of telling data from pages, whatever a page may look like."""

from __future__ import annotations

import pytest

from actors.providers.http.answers import is_data


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/jwk-set+json",
        "application/problem+json;charset=utf-8",
        "text/javascript; charset=UTF-8",
        "text/plain",
        "application/x-www-form-urlencoded; charset=utf-8",
    ],
)
def test_media_types_of_data_are_accepted(content_type: str | None) -> None:
    assert is_data(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "text/html; charset=utf-8",
        "text/html;application/json",
        "application/xhtml+xml",
        "application/xml",
        "image/svg+xml",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/jwt",
        "json",
        "application/json, text/html",
        "application/json\ntext/html",
    ],
)
def test_a_page_is_not_data(content_type: str) -> None:
    assert not is_data(content_type)
