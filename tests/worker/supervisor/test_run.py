"""What `make run` prints once the service is healthy: an address that can be used as it stands."""

from __future__ import annotations

import pytest

import config
from config import Settings
from worker.supervisor.run import _announce


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:5000"),
        ("::1", "http://[::1]:5000"),
        ("::", "http://[::1]:5000"),
        ("0.0.0.0", "http://127.0.0.1:5000"),  # noqa: S104
        ("localhost", "http://localhost:5000"),
    ],
)
def test_the_printed_address_can_be_used(
    host: str,
    url: str,
    settings: Settings,
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    del settings
    environment["HOST"] = host
    config.current_settings.cache_clear()
    lines: list[str] = []

    _announce(config.current_settings(), lambda _name, line: lines.append(line))

    assert f"listens at {url} (console: {url}/console, API: {url}/docs)" in lines[0]
    assert f"{url}/v1/passwords/hash" in capsys.readouterr().out
