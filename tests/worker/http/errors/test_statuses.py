"""Every error that can reach a caller has a status, and every status an error."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Final

import pytest

import actors
import catfeeder
import models
import worker.http
from catfeeder.errors import CatFeederError, JobFailed, RequestRefused
from worker.http.console.work.words import REASON_MEANINGS
from worker.http.errors.statuses import STATUS_BY_CODE, get_status

#: Their codes are those of the answer or job that they carry.
_CARRIERS: Final = (JobFailed, RequestRefused)
#: Roots, which are never raised themselves.
_ROOTS: Final = {"auth_error", "password_refused", "refusal"}
#: Errors of the Python client, in the app that uses it.
_CLIENT_ONLY: Final = {
    *("api_not_given", "invalid_api_key", "invalid_api_url", "invalid_queue_key"),
    "service_unreachable",
}
#: Errors that become others on their way: a `reauthorization_required`, a line of a report, a 500.
_INTERNAL: Final = {
    *("breach_list_invalid", "key_not_restored", "provider_differs"),
    "grant_ended",
    "refused_alone",
    *("unreadable_message", "internal_error", "seal_broken"),
}


def _import_all() -> None:
    """Import every module that the web process or a worker's actor may raise from."""
    for package in (actors, catfeeder, models, worker.http):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.startswith("models.migrations."):
                importlib.import_module(found.name)


def _walk(kind: type[CatFeederError]) -> Iterator[type[CatFeederError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _walk(child)


def _list_kinds() -> list[type[CatFeederError]]:
    _import_all()
    packages = ("actors", "catfeeder", "models", "settings", "worker.http", "worker.queue.pauses")
    return [
        kind
        for kind in _walk(CatFeederError)
        if kind.__module__.startswith(packages) and kind not in _CARRIERS
    ]


def _list_codes() -> set[str]:
    return {kind.__new__(kind).code for kind in _list_kinds()}


def test_each_error_that_makes_a_dead_letter_has_its_meaning_in_the_console() -> None:
    # Given the errors that are no refusal of a job, but a fault that an operator has to see
    codes = {kind.__new__(kind).code for kind in _list_kinds() if not kind.is_foreseen}
    assert {"breach_list_unavailable", "internal_error"} <= codes
    assert codes <= set(REASON_MEANINGS)


def test_each_error_that_can_reach_a_caller_has_a_status_and_each_status_an_error() -> None:
    assert _list_codes() - _ROOTS - _CLIENT_ONLY - _INTERNAL == set(STATUS_BY_CODE)


@pytest.mark.parametrize("code", [*sorted(_INTERNAL), "something_new"])
def test_other_codes_are_answered_with_500(code: str) -> None:
    assert get_status(code) == 500
