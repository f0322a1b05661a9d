"""Mapping of the catalogues' facts of a provider to the settings of a preset."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Set
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.catalogue.errors import LeftOut
from tests.catalogue.templates import BASE_URL, find_variables, write_urls

_FOLDER: Final = Path(__file__).parent
_PLAIN: Final = (
    *("scope_separator", "token_endpoint_auth_method", "default_lifetime_seconds"),
    *("renewal_margin_seconds",),
)
#: Authorization parameters that are settings of another name, or that each sign-in writes itself.
_MOVED: Final = {"scope": "scopes", "response_type": "response_type", "nonce": None}
_PARAMETERS: Final = ("authorization_parameters", "token_parameters", "refresh_parameters")
#: Tags of the legend whose provider needs a value that only additions.toml has.
_NEED_ADDITION: Final = {
    "T_HEADERS": ("token_headers",),
    "T_IDNAME": ("token_parameter_names",),
    "T_NESTED": ("token_response_paths",),
    "T_AUTH": ("token_endpoint_auth_method",),
    "T_ASSERT": ("client_assertion_audience",),
    "T_TWOSTEP": (),
    "T_EXCHANGE": ("long_lived_token",),
    "T_GRANT": ("token_parameters",),
    "A_CODE": ("code_parameter", "token_parameter_names"),
    "A_IDNAME": ("parameter_names",),
    "A_REDIR": ("parameter_names",),
    "A_STATE": (),
    "R_GRANT": ("refresh_parameters",),
    "R_ANSWER": ("prolonging_answer",),
    "C_CB": ("callback_parameters",),
    "U_SIGNED": (),
    "U_GRAPHQL": ("userinfo_body",),
    "U_HEADER": ("userinfo_headers",),
}
#: What an addition says to the generator alone.
_NO_SETTINGS: Final = ("superseded", "of_operator")
#: What a tag says without a value.
_BY_TAG: Final[Mapping[str, Mapping[str, Any]]] = {
    "T_JSON": {"token_request_format": "json"},
    "T_QUERY": {"token_request_format": "query", "token_request_method": "GET"},
    "U_QUERY": {"userinfo_token_location": "query"},
    "U_POST": {"userinfo_method": "POST"},
    "A_PLAIN": {"code_challenge_method": "plain"},
}
#: Of these the other catalogues do without, unless the cross-check says `lacking`.
_WEAK: Final = frozenset(_NEED_ADDITION) | {"T_QUERY", "U_QUERY", "U_POST"}


@cache
def additions() -> Mapping[str, Mapping[str, Any]]:
    """Return what is known beyond the facts, by provider."""
    return tomllib.loads((_FOLDER / "additions.toml").read_text(encoding="utf-8"))


@cache
def left_out() -> Mapping[str, str]:
    """Return the providers that were looked at and have no preset, with the reason."""
    return tomllib.loads((_FOLDER / "left_out.toml").read_text(encoding="utf-8"))


def superseded(name: str) -> set[str]:
    """Return the tags of what the addition of a provider does in another way."""
    return set(additions().get(name, {}).get("superseded", ()))


def tags_of(facts: Mapping[str, Any]) -> set[str]:
    """Return the tags that count: those of the code, less what the cross-check found needless."""
    tags = set(facts.get("quirks", {})) - superseded(facts["name"])
    return {tag for tag in tags if tag not in _WEAK or tag in facts.get("lacking", ())}


def write_settings(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a provider's preset.

    Raises:
        LeftOut: The settings cannot say it.
    """
    name = facts["name"]
    if name in left_out():
        raise LeftOut(left_out()[name])
    added = additions().get(name, {})
    own = set(added.get("of_operator", ()))
    known = {key: it for key, it in facts.items() if key not in own}
    filled = write_urls({**known, **{key: it for key, it in added.items() if isinstance(it, str)}})
    settings: dict[str, Any] = dict(filled.urls)
    settings |= _write_requests(facts, filled.bases)
    settings |= _write_by_tags(facts, added)
    settings |= _write_profile(facts)
    settings = _lay_over(settings, added)
    settings |= _write_identity(settings)
    _name_by_sub(settings)
    texts = [settings.get(part, {}) for part in _PARAMETERS]
    known = facts.get("template_variables", {})
    variables = {**filled.variables}
    for part in texts:
        variables |= find_variables(part, known)
    if variables:
        settings["variables"] = {_clean_name(key): it for key, it in sorted(variables.items())}
    _check_complete(settings, own)
    return {key: _rename_variables(value, variables) for key, value in settings.items()}


def _write_requests(facts: Mapping[str, Any], bases: set[str]) -> dict[str, Any]:
    settings = {name: facts[name] for name in _PLAIN if facts.get(name)}
    if settings.get("scope_separator") == " ":
        del settings["scope_separator"]
    if facts.get("code_challenge_method") in ("none", "plain"):
        settings["code_challenge_method"] = facts["code_challenge_method"]
    if "scopes" in facts:
        settings["scopes"] = list(facts["scopes"])
    for part in _PARAMETERS:
        settings |= _write_parameters(part, facts.get(part, {}), bases)
    kept = [*facts.get("token_answer_members_kept", ()), *facts.get("callback_parameters_kept", ())]
    if kept:
        settings["metadata"] = kept
    return settings


def _write_parameters(part: str, parameters: Mapping[str, str], bases: set[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, stated in parameters.items():
        other = _MOVED.get(name, part) if part == "authorization_parameters" else part
        text = stated
        for base in bases:
            text = text.replace(f"https://{{{base}}}", BASE_URL)
        if other == "scopes":
            settings["scopes"] = text.split()
        elif other == part:
            settings.setdefault(part, {})[name] = text
        elif other is not None:
            settings[other] = text
    return settings


def _write_by_tags(facts: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for tag in sorted(tags_of(facts)):
        settings |= _BY_TAG.get(tag, {})
        needed = _NEED_ADDITION.get(tag)
        if needed is not None and not any(name in added for name in needed):
            raise LeftOut(f"the tag {tag} needs a value that no catalogue states as data")
    return settings


def _write_profile(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the paths of the profile; one of them may lack a leading part that the others have."""
    profile = dict(facts.get("profile", {}))
    stated = {
        one["field"].removeprefix("profile."): str(one["value"])
        for one in facts.get("conflicts", ())
        if one["field"].startswith("profile.")
    }
    # What another part stands in is an object, and no text.
    profile = {
        part: path
        for part, path in profile.items()
        if not any(other.startswith(f"{path}.") for other in profile.values())
    }
    leading = {path.rpartition(".")[0] for path in profile.values() if "." in path}
    for part, path in profile.items():
        other = stated.get(part, "")
        if "." not in path and other.endswith(f".{path}") and other.rpartition(".")[0] in leading:
            profile[part] = other
    if "email" in profile and "email_verified" not in profile and profile["email"] != "email":
        profile.setdefault("email_verified", "email_verified")
    standard = {"subject": "sub", "email": "email", "email_verified": "email_verified"}
    standard |= {"name": "name", "picture": "picture"}
    stated_otherwise = {part: path for part, path in profile.items() if standard[part] != path}
    return {"profile": stated_otherwise} if stated_otherwise else {}


def _lay_over(settings: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    whole = dict(settings)
    for name, value in added.items():
        is_merged = name == "profile" and isinstance(value, Mapping)
        parts = {**whole.get(name, {}), **value} if is_merged else {}
        kept = {part: path for part, path in parts.items() if path is not False}
        whole[name] = kept if is_merged else value
    return {key: it for key, it in whole.items() if it is not False and key not in _NO_SETTINGS}


def _write_identity(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the user is named; nothing where that is the user info, as usual."""
    if "identity" in settings or "userinfo_endpoint" in settings:
        return {}
    return {"identity": "id_token" if "issuer" in settings else "none"}


def _name_by_sub(settings: dict[str, Any]) -> None:
    """Let users of an OpenID provider be named by sub, which alone is never another user's.

    See OpenID Connect Core section 5.7; user info has it beside what else names a user.
    """
    is_openid = "openid" in settings.get("scopes", ()) or (
        "issuer" in settings and "scopes" not in settings
    )
    profile = settings.get("profile", {})
    if is_openid and "." not in profile.get("subject", ""):
        profile.pop("subject", None)
        if not profile:
            settings.pop("profile", None)


def _check_complete(settings: Mapping[str, Any], own: Set[str]) -> None:
    if "issuer" in settings:
        return
    needed = ("authorization_endpoint", "token_endpoint")
    missing = [name for name in needed if name not in {*settings, *own}]
    if missing:
        raise LeftOut(f"no catalogue states {' and '.join(missing)}")


def _clean_name(name: str) -> str:
    """Return a variable's name of letters, digits and _ alone."""
    last = name.rpartition(".")[2]
    plain = re.sub("[^A-Za-z0-9]", "_", last.removeprefix("this_get"))
    return plain[:1].lower() + plain[1:]


def _rename_variables(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        for name in variables:
            value = value.replace(f"{{{name}}}", f"{{{_clean_name(name)}}}")
        return value
    if isinstance(value, Mapping):
        return {key: _rename_variables(it, variables) for key, it in value.items()}
    return value
