"""Tests of settings of requests that cannot work: refused by their field, with the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from actors.providers.config.schema.body import validate_settings
from actors.providers.errors import ProviderInvalid

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
        ({"client_id": "${CLIENT_ID}"}, "client_id", "give the value itself"),
        ({"client_secret": "<your client secret>"}, "client_secret", "give the value itself"),
        ({"key_id": "{{key}}"}, "key_id", "give the value itself"),
        ({"offline_scope": "{scope}"}, "offline_scope", "give the value itself"),
        ({"token_endpoint": "https://idp.example/$tenant/token"}, "token_endpoint", "name it in"),
        ({"token_endpoint": "https://idp.example/<tenant>/token"}, "token_endpoint", "the <"),
        ({"token_endpoint": "https://idp.example/%s/token"}, "token_endpoint", "the %"),
        ({"token_endpoint": "https://YOUR_DOMAIN/token"}, "token_endpoint", "public address"),
        ({"token_endpoint": "https://idp.example/t?k=$key"}, "token_endpoint", "the $"),
        ({"token_endpoint": "https://a.example/?client_secret=x"}, "token_endpoint", "no place"),
        (
            {"authorization_parameters": {"client_secret": "{client_secret}"}},
            "authorization_parameters",
            "browser would show it",
        ),
        ({"offline_parameters": {"state": "a"}}, "offline_parameters", "writes its own"),
        ({"offline_parameters": {"a": "{b}"}}, "offline_parameters/a", "nothing fills in"),
        ({"profile": {"subject": "$.data.id"}}, "profile/subject", "such as data.id"),
        ({"profile": {"subject": "{id}"}}, "profile/subject", "such as data.id"),
        (
            {"token_response_paths": {"access_token": "$.data.token"}},
            "token_response_paths/access_token",
            "such as data.id",
        ),
        (
            {"token_response_paths": {"scope": "data.refresh_token"}},
            "token_response_paths/scope",
            "never kept in the clear",
        ),
        ({"userinfo_body": {"t": ["{access_token}"]}}, "userinfo_body", "_token_location to body"),
        (
            {"userinfo_body": {"query": "{me}"}, "userinfo_method": "GET"},
            "userinfo_method",
            "must be POST",
        ),
        ({"api_headers": {"A": "{access_token}", "a": "b"}}, "api_headers", "twice"),
        ({"api_headers": {"A": "{tenant}{access_token}"}}, "api_headers", "variables name it"),
        ({"api_headers": {"A": "${access_token}"}}, "api_headers", "without a $"),
        ({"parameter_names": {"client_id": "scope"}}, "parameter_names", "two parameters"),
        ({"token_parameter_names": {"code": "grant_type"}}, "token_parameter_names", "two param"),
        (
            {"long_lived_token": {"grant_type": "x", "token_parameter": "grant_type"}},
            "long_lived_token/token_parameter",
            "name another",
        ),
        (
            {"long_lived_token": {"grant_type": "x", "parameters": {"grant_type": "y"}}},
            "long_lived_token/parameters",
            "a setting itself",
        ),
        ({"scopes": ["a:b"], "scope_separator": ":"}, "scope_separator", "the scope a:b"),
        (
            {"issuer": "https://idp.example/.well-known/openid-configuration"},
            "issuer",
            "the URL before",
        ),
        ({"client_assertion_audience": "issuer"}, "client_assertion_audience", "set issuer"),
        ({"grant_types": ["refresh_token"]}, "grant_types", "make no connection"),
        (
            {"grant_types": ["client_credentials"], "credential_type": "api_key"},
            "grant_types",
            "leave out one",
        ),
        ({"assertion_claims": {"a": "b"}}, "assertion_claims", "name it in grant_types"),
        ({"check_endpoint": "https://idp.example/me"}, "check_endpoint", "credential_type"),
        (
            {"revocation": "none", "revocation_endpoint": "https://idp.example/r"},
            "revocation_endpoint",
            "leave out one",
        ),
        ({"variables": {"tenant": ""}}, "variables/tenant", "of 1 to"),
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
