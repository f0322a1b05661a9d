"""Further members of answers that an API cannot be called without, by name; never a token."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from actors.providers.http.answers import one_line
from catfeeder.sealing import Secret
from models.oauth.grants import limit_metadata

#: Where an API is, and whose data it serves, by the names that providers give these.
OF_TOKEN_ANSWERS: Final = (
    *("instance_url", "instanceUrl", "api_domain", "apiDomain", "api_endpoint", "api_server"),
    *("api_base_url", "base_url", "endpoint", "host", "restUrl", "server_url", "resource_url"),
    *("domain", "subdomain", "sub_domain", "region", "dc", "location", "site", "installation"),
    *("id", "team", "enterprise", "is_enterprise_install", "bot_user_id", "app_id", "bot_id"),
    *("workspace_id", "workspace_name", "workspace_icon", "organization_id", "org_id", "guild"),
    *("tenant", "tenant_id", "tenantId", "company_id", "companyId", "account", "account_id"),
    *("account_uuid", "context", "user_id", "userid", "open_id", "openId", "openid", "union_id"),
    *("unionid", "membership_id", "merchant_id", "seller_id", "stripe_user_id", "livemode"),
    *("hub_id", "hub_domain", "cloud_id", "realm_id", "realmId", "shop", "checkr_account_id"),
    *("patient", "encounter", "need_patient_banner", "smart_style_url", "fhirUser", "environment"),
    *("api_url", "access_url", "api_access_point", "web_access_point", "rest_instance_url"),
    *("soap_instance_url", "server_endpoint", "client_endpoint", "base_domain", "domain_prefix"),
    *("apicp", "appcp", "member_id", "location_id", "store_id", "store_hash", "shop_id", "site_id"),
    *(
        "team_id",
        "project_id",
        "portal_id",
        "instance_id",
        "organization",
        "workspace",
        "user_type",
    ),
)
#: A browser brings these, and no signature vouches for them: no user's name is among them.
OF_CALLBACKS: Final = (
    *("realmId", "location", "accounts-server", "shop", "host", "merchant_id", "seller_id"),
    *("selling_partner_id", "installation_id", "setup_action", "businessId", "account_id"),
    *("tenant", "tenantId", "region", "dc", "domain", "subdomain", "context", "api_domain"),
    *("instance_id", "store_id", "store_hash", "shop_id", "main_account_id", "location_id"),
    *("member_id", "organization_id", "company_id", "hub_id", "portal_id", "site_id"),
)
_SEPARATORS: Final = re.compile("[_. -]")
_MAX_DEPTH: Final = 4
_SECRET_NAME: Final = re.compile(
    "token|secret|passw|credential|assertion|jwt|cookie|private|signature|hmac|verifier|authorization"
    "|session|(^|[_.-])(code|key|pwd|pin|otp)s?$|(auth|user|device)_?code|api_?key|(^|[.])(state|nonce)$",
    re.IGNORECASE,
)
_JWT: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


# Cached, since each renewal looks at the same hundred names.
@lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Return whether a member of this name may hold a token or another secret."""
    return _SECRET_NAME.search(name) is not None


def spell_names(answer: Mapping[str, Any], usual: Iterable[str]) -> list[str]:
    """Return the usual names that an answer has, and after them its other spellings of them.

    `instance_url`, `instanceUrl` and `Instance-URL` are the same name.
    """
    places, known = _index_names(tuple(usual))
    # Answers have few members, and each renewal looks for a hundred names.
    found = sorted((name for name in answer if name in places), key=places.__getitem__)
    return [*found, *(name for name in answer if name not in places and _normalize(name) in known)]


@lru_cache(maxsize=16)
def _index_names(usual: tuple[str, ...]) -> tuple[dict[str, int], frozenset[str]]:
    """Return the places of names in their order, and what their spellings have in common."""
    names = dict.fromkeys(usual)
    return {name: place for place, name in enumerate(names)}, frozenset(map(_normalize, names))


@lru_cache(maxsize=1024)
def _normalize(name: str) -> str:
    return _SEPARATORS.sub("", name).lower()


def pick_members(
    answer: Mapping[str, Any], names: Iterable[str], tokens: Iterable[Secret | None] = ()
) -> dict[str, Any]:
    """Return the named members, in this order, without secrets and within 4 KiB as JSON.

    Dots lead into objects. A member that has the name of a secret is left out at every depth, and
    so is each that holds one of the `tokens` or a JWT.
    """
    places = [name for name in names if name in answer or "." in name]
    found = ((name, find_at(answer, name)) for name in places)
    there = [(name, value) for name, value in found if value is not None]
    texts = [token.reveal() for token in tokens if token is not None] if there else []
    cleaned = ((name, _clean(value, texts, _MAX_DEPTH)) for name, value in there)
    named = {name: value for name, value in cleaned if not is_secret_name(name)}
    return limit_metadata({name: value for name, value in named.items() if value not in _EMPTY})


_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})


def find_at(answer: Any, path: str) -> Any:
    """Return what stands at a path of names, or of places in a list, parted by dots; else None."""
    if isinstance(answer, Mapping) and path in answer:
        return answer[path]
    first, _, rest = path.partition(".")
    if isinstance(answer, Mapping):
        return find_at(answer.get(first), rest) if rest else None
    if not isinstance(answer, list) or not first.isdecimal() or int(first) >= len(answer):
        return None
    return find_at(answer[int(first)], rest) if rest else answer[int(first)]


def _clean(value: Any, tokens: list[str], depth: int) -> Any:
    """Return a value of JSON without secrets; None for one that holds nothing else."""
    match value:
        case str():
            is_token = any(token in value for token in tokens) or _JWT.search(value)
            return None if is_token else one_line(value)
        case bool() | int() | float():
            return value
        case Mapping() if depth:
            named = {name: it for name, it in value.items() if not is_secret_name(name)}
            cleaned = {name: _clean(it, tokens, depth - 1) for name, it in named.items()}
            return {name: it for name, it in cleaned.items() if it is not None}
        case list() if depth:
            items = [_clean(item, tokens, depth - 1) for item in value]
            return [item for item in items if item is not None]
    return None
