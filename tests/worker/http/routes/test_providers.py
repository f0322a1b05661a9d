"""Providers over HTTP: an operator sets them up, and no secret ever comes back."""

from __future__ import annotations

import httpx
import pytest

from actors.providers.config.schema.body import ProviderSettings
from actors.providers.config.schema.help_texts import read_help
from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.conftest import SetLimits

SECRET = "the-client-secret-nobody-may-see"
SETTINGS = {"preset": "google", "client_id": "app", "client_secret": SECRET}


def test_a_provider_is_created_and_replaced(http: httpx.Client) -> None:
    # When a provider is put, and put again
    created = http.put("/v1/providers/google", json=SETTINGS)
    replaced = http.put("/v1/providers/google", json={**SETTINGS, "client_id": "other"})
    # Then it is new the first time
    assert (created.status_code, replaced.status_code) == (201, 200)
    assert created.json()["client_id"] == "app"
    assert replaced.json()["client_id"] == "other"
    # And its secret is told nowhere
    listed = http.get("/v1/providers").json()["items"]
    assert [item["name"] for item in listed] == ["google"]
    assert listed[0]["has_client_secret"] is True
    assert SECRET not in f"{created.text}{replaced.text}{listed}"
    assert http.get("/v1/providers/google").json() == listed[0]


def test_a_provider_is_changed_in_part(http: httpx.Client) -> None:
    http.put("/v1/providers/google", json=SETTINGS)
    changed = http.patch(
        "/v1/providers/google",
        content=b'{"scopes": ["openid"], "client_id": null}',
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert changed.status_code == 200
    assert changed.json()["scopes"] == ["openid"]
    assert changed.json()["client_id"] is None
    assert changed.json()["has_client_secret"] is True


def test_what_is_no_setting_is_not_removed_either(http: httpx.Client) -> None:
    http.put("/v1/providers/google", json=SETTINGS)
    answer = http.patch("/v1/providers/google", json={"scpoes": None, "client_id": None})
    [fault] = assert_problem(answer, 422, "provider_invalid")["errors"]
    assert fault["pointer"] == "#/scpoes"
    assert http.get("/v1/providers/google").json()["client_id"] == SETTINGS["client_id"]


def test_a_provider_is_removed(http: httpx.Client) -> None:
    http.put("/v1/providers/google", json=SETTINGS)
    removed = http.delete("/v1/providers/google")
    assert (removed.status_code, removed.content) == (204, b"")
    assert_problem(http.get("/v1/providers/google"), 404, "provider_unknown")


@pytest.mark.parametrize("name", ["ProviderSettings", "ProviderChanges"])
def test_each_setting_is_described(name: str, http: httpx.Client) -> None:
    schema = http.get("/openapi.json").json()["components"]["schemas"][name]
    assert set(schema["properties"]) == set(ProviderSettings.model_fields)
    assert all(len(it["description"]) > 15 for it in schema["properties"].values())
    assert set(read_help()) == set(ProviderSettings.model_fields)
    assert schema["examples"]


def test_each_setting_that_is_wrong_is_named(http: httpx.Client) -> None:
    body = {"issuer": "http://169.254.169.254", "scopes": ["a b"], "client_id": 7}
    answer = http.put("/v1/providers/house", json=body)
    members = assert_problem(answer, 422, "provider_invalid")
    pointers = {fault["pointer"] for fault in members["errors"]}
    assert pointers == {"#/issuer", "#/scopes/0", "#/client_id"}


def test_the_place_of_a_mistake_is_written_as_a_fragment(http: httpx.Client) -> None:
    # RFC 6901 section 6: what the caller has named becomes visible ASCII
    body = {"preset": "google", "failure_kinds": {"a b/c~\n\u00e9": "dead"}}
    members = assert_problem(http.put("/v1/providers/house", json=body), 422, "provider_invalid")
    [fault] = members["errors"]
    assert fault["pointer"] == "#/failure_kinds/a%20b~1c~0%0A%C3%A9"


@pytest.mark.parametrize(
    "body", [b'{"client_id": "\\u0000"}', b'{"authorization_parameters": {"\\ud800": "x"}}']
)
def test_text_that_no_database_holds_is_refused(http: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = http.put("/v1/providers/house", content=body, headers=headers)
    assert_problem(answer, 422, "invalid_request")


def test_a_provider_is_checked_by_a_worker(http: httpx.Client, house: OidcProvider) -> None:
    # Given a provider that is well when it is looked over
    well = http.get("/v1/providers/house/check")
    # When one is, too, that is not there where its settings say
    settings = {"issuer": f"{house.issuer}/elsewhere", "client_id": "app", "client_secret": SECRET}
    http.put("/v1/providers/ruin", json=settings)
    unwell = http.get("/v1/providers/ruin/check")
    # Then each finding is told, those that are not well with their remedy
    assert (well.status_code, unwell.status_code) == (200, 200)
    assert (well.json()["provider"], well.json()["is_ok"]) == ("house", True)
    assert {"discovery", "pkce"} <= {finding["check"] for finding in well.json()["findings"]}
    assert unwell.json()["is_ok"] is False
    assert all(finding["remedy"] for finding in unwell.json()["findings"] if not finding["is_ok"])
    assert SECRET not in unwell.text


def test_a_check_that_no_worker_performs_times_out(
    http: httpx.Client, set_limits: SetLimits
) -> None:
    # Given a service whose workers are away
    http.put("/v1/providers/google", json=SETTINGS)
    set_limits(provider_check_seconds=0.1)
    # When a provider is to be looked over, then the answer comes all the same
    assert_problem(http.get("/v1/providers/google/check"), 504, "job_timeout")


@pytest.mark.parametrize("name", ["nobody", "Has%20Spaces", "%00"])
def test_an_unknown_provider_is_not_checked(http: httpx.Client, name: str) -> None:
    answer = http.get(f"/v1/providers/{name}/check")
    assert_problem(answer, 404, "provider_unknown")
    assert 'catfeeder_queue_messages{queue="oauth"} 0.0' in http.get("/metrics").text


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_provider_that_is_not_there_is_not_found(http: httpx.Client, method: str) -> None:
    answer = http.request(method, "/v1/providers/nobody", json={})
    assert_problem(answer, 404, "provider_unknown")
