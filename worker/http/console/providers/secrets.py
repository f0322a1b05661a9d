"""Secrets of a provider's form: they come in, and go back sealed where the form is shown again."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from actors.providers.config.editing import SecretChanges
from catfeeder.sealing import Secret
from worker.http.console.access import Visit
from worker.http.console.rendering import read_visit
from worker.http.shim import Shim

SECRETS: Final = ("client_secret", "private_key")
SEALED: Final = ".sealed"
REMOVED: Final = ".is_removed"
KEEPS_EARLIER: Final = "client_secret.keeps_earlier"


def read_secrets(request: Request, shim: Shim) -> SecretChanges:
    """Return what a form changes of the secrets: new ones, and those to be removed."""
    visit = read_visit(request)
    changes: SecretChanges = {}
    for name in SECRETS:
        if secret := _find(visit, shim, name):
            changes[name] = secret.reveal().replace("\r\n", "\n")
        elif visit.form.get(name + REMOVED):
            changes[name] = None
    changes["keeps_earlier"] = bool(visit.form.get(KEEPS_EARLIER))
    return changes


def seal_secrets(request: Request, shim: Shim) -> dict[str, str]:
    """Return a form's fields without the secrets that were typed, which are sealed in it."""
    visit = read_visit(request)
    form = {name: text for name, text in visit.form.items() if name not in SECRETS}
    for name in SECRETS:
        if secret := _find(visit, shim, name):
            form[name + SEALED] = shim.console_sessions.seal_field(visit.session, secret)
    return form


def _find(visit: Visit, shim: Shim, name: str) -> Secret | None:
    """Return a secret that was typed just now, or before the form was shown again."""
    if typed := visit.form.get(name):
        return Secret(typed)
    return shim.console_sessions.open_field(visit.session, visit.form.get(name + SEALED, ""))
