"""The catalogue over HTTP: an app finds a provider by its name, and one request sets it up."""

from __future__ import annotations

import httpx

from tests.worker.http.answers import assert_problem


def test_a_provider_is_found_by_its_name_and_set_up_by_one_request(http: httpx.Client) -> None:
    # Given an operator who looks for a provider
    found = http.get("/v1/catalogue", params={"query": "  NOTION "}).json()
    [first, *_] = found["items"]
    assert (first["preset"], first["title"], first["tried"]) == ("notion", "Notion", False)
    assert first["environment"] == ["NOTION_CLIENT_ID", "NOTION_CLIENT_SECRET"]
    assert {"allauth", "nango"} <= set(first["stated_by"])
    # When it is set up with nothing but credentials
    body = {"preset": "notion", "client_id": "app", "client_secret": "secret"}
    assert http.put("/v1/providers/notion", json=body).status_code == 201
    # Then sign-ins begin
    begun = http.post("/v1/oauth/notion/authorize", json={})
    assert begun.status_code == 200, begun.text
    url = begun.json()["authorization_url"]
    assert url.startswith("https://api.notion.com/v1/oauth/authorize?")
    assert "owner=user" in url


def test_the_catalogue_is_read_page_by_page(http: httpx.Client) -> None:
    # Given a query that finds more than a page
    names: list[str] = []
    cursor = None
    while True:
        query: dict[str, str] = {"query": "google", "limit": "7"}
        query |= {"cursor": cursor} if cursor else {}
        page = http.get("/v1/catalogue", params=query).json()
        names += [item["preset"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    # Then each preset comes once, those of both kinds among them
    assert len(names) > 14
    assert names == sorted(set(names))
    assert {"google", "google-drive"} <= set(names)
    # And what cannot be meant is refused
    assert_problem(http.get("/v1/catalogue?cursor=***"), 422, "cursor_invalid")
    assert http.get("/v1/catalogue?limit=0").status_code == 422
    assert http.get("/v1/catalogue", headers={"Authorization": ""}).status_code == 401


def test_a_preset_without_a_url_of_each_customer_wants_it(http: httpx.Client) -> None:
    # Given a preset whose customers have a server for tokens too
    [found] = http.get("/v1/catalogue?query=looker-oauth").json()["items"]
    assert found["needs"] == ["base_url", "token_endpoint"]
    # When it is set up without that, and with it
    base = {"base_url": "https://looker.example.com", "client_id": "a", "client_secret": "s"}
    body = {"preset": "looker-oauth", **base}
    members = assert_problem(http.put("/v1/providers/looker", json=body), 422, "provider_invalid")
    assert [one["pointer"] for one in members["errors"]] == ["#/token_endpoint"]
    url = {"token_endpoint": "https://looker.example.com:19999/api/token"}
    # Then sign-ins begin
    assert http.put("/v1/providers/looker", json={**body, **url}).status_code == 201
    begun = http.post("/v1/oauth/looker/authorize", json={"subject": "u", "unbound": True})
    assert begun.json()["authorization_url"].startswith("https://looker.example.com/auth?")


def test_a_preset_of_customers_own_servers_wants_to_know_which(http: httpx.Client) -> None:
    # Given a preset whose software runs on a server of each customer
    [found] = http.get("/v1/catalogue?query=keycloak").json()["items"]
    assert found["needs"] == ["base_url"]
    # When it is set up without that, and with it
    body = {"preset": "keycloak", "client_id": "app", "client_secret": "secret"}
    members = assert_problem(http.put("/v1/providers/house", json=body), 422, "provider_invalid")
    assert [one["pointer"] for one in members["errors"]] == ["#/base_url"]
    base = {"base_url": "https://id.example.com/realms/house"}
    put = http.put("/v1/providers/house", json={**body, **base})
    # Then its URLs begin with it
    assert put.status_code == 201, put.text
    assert put.json()["token_endpoint"].startswith(base["base_url"])
    # And a preset of one server has no such setting
    wrong = http.put("/v1/providers/other", json={**body, **base, "preset": "notion"})
    assert_problem(wrong, 422, "provider_invalid")
