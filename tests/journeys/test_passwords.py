"""A password's way: hashed at registration, checked at login, over HTTP and over the queue."""

from __future__ import annotations

import pytest

import catfeeder
from catfeeder.sealing import QUEUE_LABEL, Secret, derive_key, key_to_text
from tests.journeys.stack import Stack

pytestmark = pytest.mark.journey


def test_a_password_is_hashed_and_checked(stack: Stack) -> None:
    # Given a user who has registered
    hashed = stack.result("/v1/passwords/hash", {"password": "correct horse battery staple"})
    # When they log in with the right password, and with a wrong one
    right, wrong = (
        stack.result("/v1/passwords/check", {"password": password, **hashed})
        for password in ("correct horse battery staple", "incorrect horse battery staple")
    )
    # Then only the right one is let in
    assert right == {"valid": True, "needs_rehash": False}
    assert wrong == {"valid": False, "needs_rehash": False}


def test_the_queue_and_http_share_one_service(stack: Stack) -> None:
    # Given an app that has the queue key, and another that speaks HTTP
    queue_key = key_to_text(derive_key(Secret(stack.secret_key), QUEUE_LABEL))
    client = catfeeder.connect(stack.redis_url, queue_key)
    # When the one hashes and the other checks
    hashed = client.hash_password("grüße, 世界!").result(timeout=60)
    checked = stack.result("/v1/passwords/check", {"password": "grüße, 世界!", **hashed})
    client.close()
    # Then both mean the same password
    assert checked["valid"] is True
