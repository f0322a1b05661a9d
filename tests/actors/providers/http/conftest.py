"""What the tests of HTTP to providers share: an address whose answers each test sets."""

from __future__ import annotations

import pytest

from tests.scripted_provider import ScriptedProvider


@pytest.fixture
def url(provider: ScriptedProvider) -> str:
    """An address of the provider's, whose answers each test sets."""
    return f"{provider.issuer}/somewhere"
