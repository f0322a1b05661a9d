"""Variables of a connection, which fill in its provider's URLs: a place for each customer."""

from __future__ import annotations

from typing import Any

import pytest

from actors.connections.reading import describe_connection
from actors.connections.revocation import revoke_connection
from actors.oauth.sign_in import begin_sign_in
from actors.oauth.user_info import fetch_user_info
from actors.providers.config.settings import patch_provider
from actors.providers.templates.rules import VariablesInvalid
from actors.renewal.renew import renew_connection
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.sign_ins import TAB_VERIFICATION
from tests.actors.sign_ins import NAME, configure_plain, now, sign_in, stored_connections
from tests.provider.dialects import Dialect
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")

ENDPOINTS = {
    "authorization_endpoint": "authorize",
    "token_endpoint": "token",
    "userinfo_endpoint": "userinfo",
    "revocation_endpoint": "revoke",
}


@pytest.fixture
def tenants(provider: ScriptedProvider) -> ScriptedProvider:
    """A provider with a path for each customer, which it wants in the token request too."""
    urls = {name: f"{provider.issuer}/{{tenant}}/{path}" for name, path in ENDPOINTS.items()}
    configure_plain(
        provider,
        **urls,
        variables={"tenant": "[a-z.-]{2,20}", "zone": ["eu", "us.gov"]},
        token_parameters={"zone": "{zone}"},
        refresh_parameters={"zone": "{zone}"},
    )
    zone = {"zone": "us.gov"}
    provider.script.dialect = Dialect(parameters=zone, refresh_parameters=zone)
    for tenant in ("acme", "globex"):
        for path in ENDPOINTS.values():
            provider.answer(f"/{tenant}/{path}", provider.paths[f"/{path}"])
    return provider


def test_each_customer_of_a_provider_is_a_connection_of_its_own(tenants: ScriptedProvider) -> None:
    # When one user connects with two customers of the provider, and once more with the first
    acme, globex, again = (
        sign_in(tenants, variables={"tenant": tenant, "zone": "us.gov"}).connection
        for tenant in ("acme", "globex", "acme")
    )

    # Then these are two connections, each with its variables
    assert acme.id == again.id != globex.id
    assert describe_connection(globex)["variables"] == {"tenant": "globex", "zone": "us.gov"}
    assert acme.profile["subject"] == globex.profile["subject"]
    # And what is asked of the provider later is asked there
    tenants.requests.clear()
    renew_connection(globex.id)
    assert fetch_user_info(NAME, connection_id=globex.id)["subject"]
    assert revoke_connection(globex.id)["revoked_at_provider"]
    asked = tenants.requests
    assert {request.path for request in asked} == {
        *("/globex/token", "/globex/userinfo", "/globex/revoke")
    }
    assert tenants.requests_for("/globex/token")[0].form["zone"] == "us.gov"


@pytest.mark.parametrize(
    ("variables", "field", "sentence"),
    [
        (None, "variables/tenant", "is missing"),
        ({"tenant": "acme"}, "variables/zone", "must be one of eu, us.gov"),
        ({"tenant": "acme", "zone": "us"}, "variables/zone", "must be one of"),
        ({"tenant": "acme", "zone": "eu", "realm": "x"}, "variables/realm", "no variable"),
        ({"tenant": "ACME", "zone": "eu"}, "variables/tenant", "must match"),
        *(
            ({"tenant": value, "zone": "eu"}, "variables/tenant", "must match")
            for value in ("", "a/b", "..", "a..b", "a@b", "a%2fb", "a\u3002b", "ac\nme", "a" * 200)
        ),
    ],
    ids=[
        *("missing", "list-missing", "list-other", "unknown", "capitals"),
        *("empty", "slash", "dots", "two-dots", "at", "percent", "unicode-dot", "line", "long"),
    ],
)
def test_a_variable_is_what_its_rule_and_its_place_allow(
    variables: dict[str, str] | None, field: str, sentence: str, tenants: ScriptedProvider
) -> None:
    with pytest.raises(VariablesInvalid) as refusal:
        begin_sign_in(NAME, now=now(), variables=variables)
    assert sentence in refusal.value.fields[field]
    assert tenants.requests == []


def test_a_connection_asks_nothing_where_its_variable_is_allowed_no_more(
    tenants: ScriptedProvider,
) -> None:
    row = sign_in(tenants, variables={"tenant": "acme", "zone": "us.gov"}).connection
    patch_provider(NAME, {"variables": {"tenant": "globex"}}, now())
    tenants.requests.clear()

    with pytest.raises(VariablesInvalid):
        fetch_user_info(NAME, connection_id=row.id)
    assert tenants.requests == []


@pytest.mark.parametrize("table", [TAB_CONNECTIONS, TAB_VERIFICATION], ids=["row", "sign-in"])
def test_variables_that_something_else_has_written_send_no_token_anywhere(
    table: Any, tenants: ScriptedProvider
) -> None:
    # Given a connection and a sign-in that waits
    row = sign_in(tenants, variables={"tenant": "acme", "zone": "us.gov"}).connection
    begun = begin_sign_in(NAME, now=now(), variables={"tenant": "acme", "zone": "us.gov"})
    # When a writer of the database without SECRET_KEY leads it to another customer
    with hold_connection():
        table.update_sealed({"variables": {"tenant": "globex", "zone": "us.gov"}}).execute()
        found = [TAB_CONNECTIONS.find(row.id), TAB_VERIFICATION.find(Secret(begun.state))]

    # Then it is as if it were not there
    assert [one is None for one in found] == [table is TAB_CONNECTIONS, table is TAB_VERIFICATION]
    assert len(stored_connections()) == 1
