"""Tests of single requests: which answers are JSON, which are refusals and which misbehaviour."""

from __future__ import annotations

import pytest

from actors.providers.errors import ProviderMisbehaved, ProviderRefused, ProviderUnreachable
from actors.providers.http.requests import get_json, post_json
from tests.provider.answers import Answer, broken_gzip, html_answer, json_answer, json_text
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")


def test_json_is_requested_and_parsed(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", json_answer({"a": [1, 2.5, "\u00e9", None, True]}))

    assert get_json(url, {"Authorization": "Bearer x"}) == {"a": [1, 2.5, "\u00e9", None, True]}

    (request,) = provider.requests
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"] == "cat-feeder-auth-worker"
    assert request.headers["authorization"] == "Bearer x"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418])
def test_other_4xx_are_refusals(status: int, provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", json_answer({"error": "x"}, status))

    with pytest.raises(ProviderRefused, match=f"status {status}"):
        get_json(url)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(204),
        Answer(304),
        json_answer({}, 201),
        html_answer(),
        Answer(200, b""),
        Answer(200, b"\xff\xfe{\x00}\x00"),
        Answer(200, b'"caf\xe9"'),
        json_text("{'a': 1}"),
        json_text('{"a": NaN}'),
        json_text('{"a": Infinity}'),
        json_text('{"a": 1e999}'),
        json_text('{"a": ' + "9" * 5000 + "}"),
        json_text("[" * 40 + "]" * 40),
        json_text("[" * 30_000),
        json_text('{"a":' * 10_000),
        broken_gzip(),
    ],
    ids=lambda answer: repr(answer.body[:12]),
)
def test_an_answer_that_is_not_json_is_misbehaviour(
    answer: Answer, provider: ScriptedProvider, url: str
) -> None:
    provider.answer("/somewhere", answer)

    with pytest.raises(ProviderMisbehaved):
        get_json(url)


def test_json_may_have_a_byte_order_mark_and_a_wrong_charset(
    provider: ScriptedProvider, url: str
) -> None:
    headers = {"Content-Type": "text/plain; charset=idna"}
    provider.answer("/somewhere", Answer(200, b'\xef\xbb\xbf{"name": "Zo\xc3\xab"}', headers))

    assert get_json(url) == {"name": "Zo\u00eb"}


def test_text_that_databases_refuse_is_replaced(provider: ScriptedProvider, url: str) -> None:
    text = r'{"na\u0000me": ["a\ud800b", "line\nbreak", "\u001b[2J", "\u009b31m", "\ud83d\ude00"]}'
    provider.answer("/somewhere", json_text(text))

    assert get_json(url) == {
        "na\ufffdme": ["a\ufffdb", "line\nbreak", "\ufffd[2J", "\ufffd31m", "\U0001f600"]
    }


def test_json_is_posted_and_only_success_accepted(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", Answer(204))
    post_json(url, b"{}", {"webhook-id": "1"})
    assert provider.requests[0].headers["content-type"] == "application/json"

    for status, error in ((304, ProviderMisbehaved), (404, ProviderMisbehaved)):
        provider.answer("/somewhere", Answer(status))
        with pytest.raises(error):
            post_json(url, b"{}", {})

    provider.answer("/somewhere", Answer(503))
    with pytest.raises(ProviderUnreachable):
        post_json(url, b"{}", {})
