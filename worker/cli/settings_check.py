"""`config check`: the settings are read as a start reads them, and the parts behind them tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from actors.apps.registration import list_apps
from actors.passwords.overview import describe_passwords
from actors.providers.config.checks.static import check_settings
from actors.providers.config.lookup import find_provider
from actors.providers.config.settings import list_providers
from actors.providers.errors import DiscoveryNeeded
from catfeeder.errors import CatFeederError
from catfeeder.messages import QUEUES
from catfeeder.queue.requester import DEFAULT_APP, act_for
from catfeeder.results import Finding
from config import (
    ConfigurationError,
    Settings,
    describe_plain_origins,
    describe_plain_urls,
    load_settings,
    read_environment,
)
from models.db.database import describe_database, open_database
from models.migrate import check_schema
from worker.cli.place_checks import try_files, try_ports, try_var_dir
from worker.cli.terminal.output import print_json
from worker.cli.terminal.session import connect_queue
from worker.consuming.start_checks.abilities import check_abilities

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
    yield _try("files", lambda: try_files(settings))
    yield _try("addresses", lambda: _try_addresses(settings))
    yield _try("var_dir", lambda: try_var_dir(settings))
    yield _try("ports", lambda: try_ports(settings))
    yield _try("passwords", lambda: describe_passwords(settings))
    database = _try("database", lambda: _try_database(settings))
    yield database
    yield _try("broker", _try_broker)
    if database["is_ok"]:
        yield from _check_apps()
        yield from _check_providers()


def _try_addresses(settings: Settings) -> str:
    if found := describe_plain_urls(read_environment(), settings):
        raise ConfigurationError(" ".join(found))
    return "Browsers bring codes to no address at which the network could read them."


def _check_apps() -> Iterator[Finding]:
    """Yield a finding for each app whose codes the network could read."""
    for app in list_apps():
        where = "Its return_to_origins"
        if found := describe_plain_origins(where, app.get("return_to_origins", [])):
            detail = " ".join(found)
            yield Finding(check=f"app {app['id']}", is_ok=False, detail=detail, remedy=_REMEDY)


def _check_providers() -> Iterator[Finding]:
    """Look each provider's settings over, and ask none of them."""
    for row in list_providers():
        name, app = row["name"], row["app"]
        whose = "" if app is None else f" of {app}"
        # An app's own is found before a shared one of its name.
        with act_for(app or DEFAULT_APP):
            yield _try(f"provider {name}{whose}", partial(_try_provider, name))


def _try_provider(name: str) -> str:
    try:
        findings = list(check_settings(find_provider(name)))
    except DiscoveryNeeded:
        return "Its issuer was not asked yet; the first sign-in does."
    checks: dict[str, list[str]] = {}
    for finding in findings:
        if not finding["is_ok"]:
            checks.setdefault(finding["detail"], []).append(finding["check"])
    if checks:
        raise ConfigurationError(
            " ".join(f"{', '.join(names)}: {detail}" for detail, names in checks.items())
        )
    return "Its settings can be used; `providers check` asks it as well."


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
    check_abilities(client.redis)
    depth = sum(map(client.broker.depth, QUEUES))
    return f"It does what jobs need, by the rights of its user; {depth} messages wait."
