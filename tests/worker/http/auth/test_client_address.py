"""Where a request comes from: an address, or nothing that could forge one."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import Request

from worker.http.auth.client_address import get_client_address


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("evil\r\nERROR root: forged", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_is_valid_or_unknown(host: str | None, address: str) -> None:
    scope: dict[str, Any] = {"type": "http", "client": None if host is None else (host, 1)}
    assert get_client_address(Request(scope)) == address
