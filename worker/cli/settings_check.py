"""`config check`: the settings are read as a start reads them, and the parts behind them tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from actors.passwords.overview import describe_passwords
from catfeeder.errors import CatFeederError
from catfeeder.results import Finding
from config import Settings, load_settings
from models.db.database import describe_database, open_database
from models.migrate import check_schema
from worker.cli.terminal.output import print_json
from worker.cli.terminal.session import connect_queue

_REMEDY: Final = "See docs/configuration.md, or what the sentence names."


def print_findings(*, as_json: bool) -> int:
    """Print each finding, and return 1 where one is not well."""
    findings = list(_check())
    is_ok = all(finding["is_ok"] for finding in findings)
    if as_json:
        print_json({"is_ok": is_ok, "findings": findings})
        return 0 if is_ok else 1
    for finding in findings:
        mark = "ok  " if finding["is_ok"] else "FAIL"
        print(f"{mark} {finding['check']}: {finding['detail']}")
    return 0 if is_ok else 1


def _check() -> Iterator[Finding]:
    try:
        settings = load_settings()
    except CatFeederError as error:
        yield Finding(check="settings", is_ok=False, detail=str(error), remedy=_REMEDY)
        return
    detail = "What .env, the environment and config.toml say can be used."
    yield Finding(check="settings", is_ok=True, detail=detail, remedy=None)
    yield _try("passwords", lambda: describe_passwords(settings))
    yield _try("database", lambda: _try_database(settings))
    yield _try("broker", _try_broker)


def _try(part: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(check=part, is_ok=True, detail=attempt(), remedy=None)
    except CatFeederError as error:
        return Finding(check=part, is_ok=False, detail=str(error), remedy=_REMEDY)


def _try_database(settings: Settings) -> str:
    open_database(settings, may_create=False)
    check_schema()
    return f"Its tables are up to date: {describe_database(settings)}."


def _try_broker() -> str:
    client = connect_queue()
    depth = sum(map(client.broker.depth, ("passwords", "oauth", "renewals", "control")))
    return f"It answers; {depth} messages wait."
