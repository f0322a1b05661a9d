"""Results for an operator: the catalogue's presets, the check of settings, and a shutdown."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict


class CatalogueEntry(TypedDict):
    """A preset of the catalogue: a provider that takes nothing but credentials, and `needs`."""

    preset: Annotated[str, "Its name, for `preset` in `PUT /v1/providers/{name}`."]
    title: Annotated[str, "What the provider is called."]
    environment: Annotated[list[str], "The variables that set it up without a request."]
    needs: Annotated[list[str], "Settings to give beside the credentials, such as `base_url`."]
    variables: Annotated[dict[str, Any], "What each user gives at `authorize`: a pattern or list."]
    identity: Annotated[str, "Where users are named: userinfo, id_token, token_response or none."]
    scopes: Annotated[list[str], "What is asked for unless the request or the provider says else."]
    stated_by: Annotated[list[str], "The public catalogues that it rests on."]
    disagreements: Annotated[int, "On how many of its settings catalogues say something else."]
    tried: Annotated[bool, "Whether it was tried against the real provider."]


class CataloguePage(TypedDict):
    """Presets, by name."""

    items: list[CatalogueEntry]
    next_cursor: Annotated[str | None, "The `cursor` of the next page; null on the last one."]


class Finding(TypedDict):
    """One check of a provider's settings."""

    check: Annotated[str, "What was checked, such as `pkce`."]
    is_ok: Annotated[bool, "Nothing is to be done."]
    detail: Annotated[str, "What was found."]
    remedy: Annotated[str | None, "What to do where it is not well."]


class ProviderCheck(TypedDict):
    """The result of `check_provider`: what there is to say about a provider's settings."""

    provider: Annotated[str, "The name of the provider's configuration."]
    is_ok: Annotated[bool, "Nothing is to be done."]
    findings: Annotated[list[Finding], "All checks, in the order in which they were made."]


class Shutdown(TypedDict):
    """The result of `shut_down`."""

    stopping: Annotated[bool, "The boot that was named stops; a later one does not."]
