"""Templates and identities of settings: what cannot work is refused when it is put."""

from __future__ import annotations

from typing import Any

import pytest

from actors.providers.config.schema.body import validate_settings
from actors.providers.errors import ProviderInvalid

pytestmark = pytest.mark.usefixtures("settings")

HOST = "https://{tenant}.idp.example"
VARIABLES = {"tenant": "[a-z0-9-]+", "zone": ["eu", "com.au"]}


def problems_of(**given: Any) -> dict[str, str]:
    """Return what is wrong with settings, by their fields."""
    urls = {
        "authorization_endpoint": "https://idp.example/authorize",
        "token_endpoint": "https://idp.example/token",
        "userinfo_endpoint": "https://idp.example/userinfo",
    }
    body = {**urls, "variables": VARIABLES, **given}
    try:
        validate_settings({name: value for name, value in body.items() if value is not None})
    except ProviderInvalid as error:
        return dict(error.fields)
    return {}


@pytest.mark.parametrize(
    "url",
    [
        f"{HOST}/token",
        "https://ca-{tenant}.idp.example:8443/token",
        "https://{tenant}.auth.{tenant}.idp.example/token",
        "https://idp.example/{tenant}/v{tenant}/token?realm={tenant}&$select=id",
        "https://accounts.idp.{zone}/token",
        "https://idp.example/{client_id}/token",
    ],
)
def test_a_variable_is_a_label_before_a_fixed_domain_or_a_segment(url: str) -> None:
    assert problems_of(token_endpoint=url) == {}


@pytest.mark.parametrize(
    ("field", "url", "sentence"),
    [
        *(
            ("token_endpoint", url, sentence)
            for url, sentence in (
                ("https://{tenant}/token", "fixed domain"),
                ("https://{tenant}.com/token", "fixed domain"),
                ("https://idp.{tenant}/token", "fixed domain"),
                ("https://{tenant}.{tenant}.example/token", "fixed domain"),
                ("https://idp.example:{tenant}/token", "within one label"),
                ("https://{tenant}@idp.example/token", "within one label"),
                ("{tenant}/token", "as a whole"),
                ("https://idp.example/${tenant}/token", "nothing fills in"),
                ("https://idp.example/{tenant/token", "nothing fills in"),
                ("https://idp.example/{}/token", "nothing fills in"),
                ("https://idp.example/{other}/token", "nothing fills in: name it in variables"),
                ("https://idp.example/{token.user}", "no token answer yet"),
                ("https://idp.example/{access_token}", "user info alone"),
                ("https://{client_id}.idp.example/token", "path or query alone"),
                ("http://{tenant}.idp.example/token", "must be an https URL"),
                ("https://{tenant}.internal.local/token", "must be an https URL"),
            )
        ),
        ("userinfo_endpoint", "https://idp.example/{token.id_token}", "may be a secret"),
        ("debug_token_endpoint", f"{HOST}/x", "without { and }"),
        ("issuer", HOST, "discovery cannot ask it"),
    ],
)
def test_what_nothing_fills_in_or_leads_elsewhere_is_refused(
    field: str, url: str, sentence: str
) -> None:
    assert sentence in problems_of(**{field: url})[field]


@pytest.mark.parametrize(
    ("field", "given", "sentence"),
    [
        ("variables/zone", {"variables": {"zone": ["eu", "a/b"]}}, "parts of hosts"),
        (
            "variables/zone",
            {"variables": {"zone": ["-x"]}, "token_endpoint": "https://idp.{zone}/t"},
            "cannot stand in token_endpoint: -x",
        ),
        (
            "variables/zone",
            {"variables": {"zone": ["local"]}, "token_endpoint": "https://idp.{zone}/t"},
            "cannot stand in token_endpoint: local",
        ),
        ("variables/tenant", {"variables": {"tenant": "(a+)+"}}, "a group that repeats"),
        ("variables/tenant", {"variables": {"tenant": "["}}, "must be a regular expression"),
        ("variables/Tenant", {"variables": {"Tenant": "a"}}, "a small letter"),
        ("variables/client_id", {"variables": {"client_id": "a"}}, "stands for something else"),
        ("userinfo_headers/X-A", {"userinfo_headers": {"X-A": "{client_secret}"}}, "fills in"),
        ("userinfo_headers", {"userinfo_headers": {"X-A": "a\nb"}}, "visible ASCII"),
        ("userinfo_token_scheme", {"userinfo_token_scheme": "a b"}, "scheme"),
        ("profile/email", {"profile": {"email": "emails[primary].a"}}, "behind the name of a list"),
        ("profile/subject", {"profile": {"subject": "a.access_token"}}, "no part of a profile"),
        ("userinfo_endpoint", {"userinfo_endpoint": None}, 'identity "none"'),
        ("identity", {"identity": "userinfo", "userinfo_endpoint": None}, "userinfo_endpoint"),
        ("identity", {"identity": "token_response"}, "profile.subject"),
        ("identity", {"identity": "id_token"}, "needs issuer"),
        (
            "identity",
            {"identity": "id_token", "issuer": "https://idp.example", "scopes": ["a"]},
            "openid among scopes",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_with_the_remedy(
    field: str, given: dict[str, Any], sentence: str
) -> None:
    assert sentence in problems_of(**given)[field]


@pytest.mark.parametrize(
    "given",
    [
        {"identity": "none", "userinfo_endpoint": None},
        {
            "identity": "token_response",
            "userinfo_endpoint": None,
            "profile": {"subject": "user.id", "name": "first + last"},
        },
        {"identity": "id_token", "issuer": "https://idp.example", "userinfo_endpoint": None},
        {"userinfo_endpoint": "https://{token.api_domain}/me"},
        {"userinfo_endpoint": "{token.instance_url}/users/{token.user}?key={client_id}"},
        {"issuer": HOST, "jwks_uri": f"{HOST}/jwks"},
        {"credential_type": "api_key", "userinfo_endpoint": None},
    ],
    ids=["none", "answer", "id_token", "host", "url", "issuer", "api-key"],
)
def test_settings_that_name_their_users_are_taken(given: dict[str, Any]) -> None:
    assert problems_of(**given) == {}
