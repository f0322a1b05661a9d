"""`python -m worker check-provider`: prints what is wrong with a provider, and remedies."""

from __future__ import annotations

from actors.providers.config.check import check_provider
from actors.providers.config.configured_presets import add_configured_presets
from catfeeder.clock import utc_now
from config import current_settings
from models.db.database import open_database
from models.migrate import check_schema


def print_findings(name: str) -> int:
    """Print each finding, with its remedy where it is not well; return 1 when one is not.

    Raises:
        ProviderUnknown: There is no such provider.
        ConfigurationError: The database cannot be used.
    """
    open_database(current_settings(), may_create=False)
    check_schema()
    add_configured_presets(utc_now())
    report = check_provider(name)
    for finding in report["findings"]:
        mark = "ok  " if finding["is_ok"] else "FAIL"
        print(f"{mark} {finding['check']}: {finding['detail']}")
        if not finding["is_ok"]:
            print(f"     {finding['remedy']}")
    return 0 if report["is_ok"] else 1
