"""Tests of settings of requests that cannot work: refused by their field, with the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from actors.errors import ProviderInvalid
from actors.providers.config.schema.body import validate_settings

pytestmark = pytest.mark.usefixtures("settings")


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"token_parameters": {"code": "a"}}, "token_parameters", "each request writes its own"),
        ({"token_parameters": {"api_key": "abc"}}, "token_parameters", "in the clear"),
        ({"token_parameters": {"a": "${connectionConfig.x}"}}, "token_parameters", "template"),
        ({"token_parameters": {"a": "{shop}"}}, "token_parameters/a", "variables"),
        ({"token_parameters": {"a": "{token.b}"}}, "token_parameters/a", "nothing fills in"),
        (
            {"refresh_parameters": {"a": "{token.puck}"}, "metadata": ["paw"]},
            "refresh_parameters/a",
            "add puck to metadata",
        ),
        ({"token_parameters": {"client_id": "x"}}, "token_parameters", "{client_id} alone"),
        (
            {"authorization_parameters": {"app": "{applicationId}"}},
            "authorization_parameters/app",
            "variables",
        ),
        ({"authorization_parameters": {"a": "${x}"}}, "authorization_parameters/a", "variables"),
        ({"token_headers": {"Authorization": "Basic x"}}, "token_headers", "writes its own"),
        ({"token_headers": {"X-A": "a\r\nHost: b"}}, "token_headers", "line breaks"),
        ({"token_headers": {"X A": "a"}}, "token_headers", "RFC 9110"),
        ({"refresh_endpoint": "http://10.0.0.1/"}, "refresh_endpoint", "public address"),
        (
            {"renewal": "none", "refresh_parameters": {"a": "b"}},
            "refresh_parameters",
            "renewal is none",
        ),
        ({"renewal": "access_token"}, "renewal", "long_lived_token"),
        ({"token_request_method": "GET"}, "token_request_method", "query"),
        ({"parameter_names": {"state": ""}}, "parameter_names", "must not leave out state"),
        ({"parameter_names": {"code": "x", "scope": "x"}}, "parameter_names", "of its own"),
        ({"parameter_names": {"client_secret": "x"}}, "parameter_names/client_secret", "_post"),
        (
            {"parameter_names": {"scope": "perm"}, "token_parameters": {"perm": "a"}},
            "parameter_names",
            "token_parameters hold too",
        ),
        ({"response_type": "code token"}, "response_type", "implicit grant"),
        ({"response_type": "code id_token"}, "response_type", "response_mode"),
        ({"code_parameter": "state"}, "code_parameter", "must not be state"),
        ({"callback_parameters": ["access_token"]}, "callback_parameters/0", "secret"),
        (
            {"token_response_paths": {"access_token": "a..b"}},
            "token_response_paths/access_token",
            "dots",
        ),
        (
            {"long_lived_token": {"grant_type": "x", "endpoint": "http://a.example"}},
            "long_lived_token/endpoint",
            "https URL",
        ),
        (
            {"token_endpoint_auth_method": "none", "token_headers": {"A": "{client_secret}"}},
            "token_headers/A",
            "there is none",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_remedy(
    given: dict[str, Any], field: str, words: str
) -> None:
    body = {
        "authorization_endpoint": "https://idp.example/authorize",
        "token_endpoint": "https://idp.example/token",
        "token_endpoint_auth_method": "client_secret_basic",
        "client_id": "client",
    }

    with pytest.raises(ProviderInvalid) as refusal:
        validate_settings({**body, **given})

    assert words in refusal.value.fields[field]
