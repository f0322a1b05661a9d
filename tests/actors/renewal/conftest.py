"""What the tests of renewal share: settings that are easy to calculate with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scripted_provider import ScriptedProvider


@pytest.fixture
def toml_conf() -> dict[str, Any]:
    """Small batches, short leases, and waits between tries that double from 30 to 600 seconds."""
    oauth = {"lease_seconds": 60, "retry_seconds": 30, "retry_cap_seconds": 600}
    return {"OAuth": {**oauth, "renewal_batch": 2}}


@pytest.fixture
def single_use(plain: ScriptedProvider) -> ScriptedProvider:
    """A provider that ends the grant when a refresh token comes twice."""
    plain.script.rotation = "single_use"
    return plain
