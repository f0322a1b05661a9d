"""Every error that can reach a caller has a status that was chosen."""

from __future__ import annotations

import pytest

import actors.errors
import actors.oauth.errors
import actors.passwords.errors
import catfeeder.errors
from catfeeder.errors import CatFeederError
from worker.http.errors import refusals
from worker.http.errors.statuses import status_of

_MODULES = (
    actors.errors,
    actors.oauth.errors,
    actors.passwords.errors,
    catfeeder.errors,
    refusals,
)
#: Bases, and what is the service's own fault or never leaves a client.
_INTERNAL = {
    "ApiNotGiven",
    "AuthError",
    "CatFeederError",
    "InvalidApiKey",
    "InvalidApiUrl",
    "InvalidQueueKey",
    "JobFailed",
    "Refusal",
    "RequestRefused",
    "SealBroken",
    "ServiceUnreachable",
}


def _codes() -> set[str]:
    kinds = {
        value
        for module in _MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, CatFeederError)
    }
    return {kind.__new__(kind).code for kind in kinds if kind.__name__ not in _INTERNAL}


def test_no_error_of_ours_is_an_accident() -> None:
    assert {code for code in _codes() if status_of(code) == 500} == set()


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("connection_unknown", 404),
        ("message_too_large", 413),
        ("provider_invalid", 422),
        ("password_too_short", 422),
        ("rounds_out_of_range", 422),
        ("state_used", 400),
        ("reauthorization_required", 409),
        ("provider_unreachable", 502),
        ("job_timeout", 504),
        ("queue_unreachable", 503),
        ("seal_broken", 500),
        ("internal_error", 500),
        ("something_new", 500),
    ],
)
def test_the_status_goes_by_the_code(code: str, status: int) -> None:
    assert status_of(code) == status
