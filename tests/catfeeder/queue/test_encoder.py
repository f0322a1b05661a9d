"""The encoder: a message arrives as it was sent, sealed, and no foreign bytes make it raise."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
from dramatiq import Message
from hypothesis import strategies as st

from catfeeder.messages import HASH_PASSWORD
from catfeeder.queue.broker import build_message
from catfeeder.queue.encoder import (
    SealedEncoder,
    UnreadableMessage,
    build_quarantine_message,
    from_json,
    to_json,
)
from catfeeder.queue.envelope import ServiceSealer
from catfeeder.sealing import Key, Secret

SEALER = ServiceSealer([Key(b"k" * 32)])
ENCODER = SealedEncoder(SEALER)
OPTIONS = {"redis_message_id": "r"}

#: What a message may carry: JSON data, with secrets and bytes anywhere in it.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.binary().map(Secret.of),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text().filter(lambda name: "$" not in name), inner, max_size=4)
    ),
    max_leaves=10,
)


def message(arguments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    fields = build_message(HASH_PASSWORD, arguments).asdict()
    return {**fields, "options": OPTIONS, **changes}


def sealed(text: bytes) -> bytes:
    return SEALER.seal(text, "message")


@hypothesis.given(value=VALUES)
def test_a_message_arrives_as_it_was_sent(value: Any) -> None:
    sent = message({"value": value})
    arrived = ENCODER.open(ENCODER.encode(sent))
    assert arrived == {**sent, "args": []}


def test_nothing_of_a_message_can_be_read() -> None:
    written = ENCODER.encode(message({"password": Secret("hunter2"), "name": "hunter2"}))
    for word in (b"hunter2", b"hash_password", b"passwords"):
        assert word not in written


def test_the_marks_are_the_ones_of_the_wire_format() -> None:
    text = to_json({"a": Secret("s"), "b": b"\x00\xff"})
    assert json.loads(text) == {"a": {"$secret": "s"}, "b": {"$bytes": "AP8="}}


@pytest.mark.parametrize(
    "members", [{"$secret": "x", "more": 1}, {"$secret": 1}, {"$bytes": None}, {"$other": "x"}]
)
def test_a_value_that_only_looks_like_a_mark_is_left_alone(members: dict[str, Any]) -> None:
    assert from_json(json.dumps(members).encode()) == members


def test_a_value_that_cannot_be_sent_is_named_by_its_type_alone() -> None:
    with pytest.raises(TypeError, match="value of type complex") as refusal:
        to_json({"x": complex(1234, 5)})
    assert "1234" not in str(refusal.value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "header is not that of a sealed value"),
        (SEALER.seal(b"{}", "another place"), "not sealed with our queue key"),
        (sealed(b"\xff"), "not JSON"),
        (sealed(b"{"), "not JSON"),
        (sealed(b'{"$bytes": "?"}'), "not JSON"),
        (sealed(b"[" * 100_000), "not JSON"),
        (sealed(b"[]"), "seven fields"),
        (sealed(b"{}"), "seven fields"),
        (sealed(to_json({**message({}), "eighth": 1})), "seven fields"),
        (sealed(to_json(message({}, queue_name=None))), "queue_name is not of type str"),
        (sealed(to_json(message({}, args={}))), "args is not of type list"),
        (sealed(to_json(message({}, kwargs=[]))), "kwargs is not of type dict"),
        (sealed(to_json(message({}, message_timestamp="1"))), "message_timestamp is not of type"),
        (sealed(to_json(message({}, options={}))), "lack redis_message_id"),
        (sealed(to_json(message({}, options={"redis_message_id": 1}))), "lack redis_message_id"),
        (sealed(to_json(message({}, queue_name=Secret("x")))), "queue_name is not of type str"),
        (sealed(to_json(message({}, message_id=""))), "message_id is not 1 to 255 printable"),
        (sealed(to_json(message({}, message_id="x" * 256))), "message_id is not 1 to 255"),
        (sealed(to_json(message({}, message_id="\ud800"))), "message_id is not 1 to 255"),
        (sealed(to_json(message({}, actor_name="\x1b[31m"))), "actor_name is not 1 to 255"),
        (sealed(to_json(message({}, queue_name="a\nb"))), "queue_name is not 1 to 255"),
        (sealed(to_json(message({}, message_timestamp=-1))), "no time"),
        (sealed(to_json(message({}, message_timestamp=10**400))), "no time"),
        (sealed(to_json(message({"x": "y" * 256 * 1024}))), "larger than a message may be"),
    ],
    # Sealing differs each time; a test's name must not.
    ids=range(24),
)
def test_foreign_bytes_go_to_quarantine_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableMessage, match=reason):
        ENCODER.open(body)
    decoded = ENCODER.decode(body)
    assert decoded["actor_name"] == "quarantine"
    assert decoded["kwargs"]["body"] == body
    assert reason in decoded["kwargs"]["reason"]


@hypothesis.given(body=st.binary() | st.binary().map(sealed) | VALUES.map(to_json).map(sealed))
def test_decoding_never_raises(body: bytes) -> None:
    Message(**{**ENCODER.decode(body), "args": ()})


def test_a_stand_in_for_a_bad_message_is_a_message_itself() -> None:
    fields = build_quarantine_message("oauth", "r", UnreadableMessage("It is not JSON."), b"\xff")
    assert ENCODER.open(ENCODER.encode(fields)) == {**fields, "args": []}
    assert (fields["queue_name"], fields["options"]) == ("oauth", OPTIONS)
