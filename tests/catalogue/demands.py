"""Demands of a provider as the catalogues state them: from the facts, never from a preset.

Where the facts have a tag and no value, the value is that of additions.toml.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl

from tests.catalogue.generate import FACTS_FILE
from tests.catalogue.mapping import additions, superseded

_PLACEHOLDER: Final = re.compile(r"\\{[^{}]*\\}")


@dataclass(frozen=True)
class Demands:
    """What one provider insists on."""

    facts: Mapping[str, Any]
    added: Mapping[str, Any]

    def get(self, setting: str, default: Any = None) -> Any:
        """Return what is stated under the name of a setting; None where it is taken away."""
        found = self.added.get(setting, self.facts.get(setting, default))
        return None if found is False else found

    def has_tag(self, tag: str) -> bool:
        """Return whether the cross-check found that the provider insists on what a tag says."""
        is_so = tag in self.facts.get("lacking", ())
        return is_so and tag not in superseded(self.facts["name"])

    def parameters(self, setting: str) -> dict[str, str]:
        """Return the parameters stated under the name of a setting."""
        return dict(self.get(setting) or {})

    @property
    def scopes(self) -> list[str]:
        """The scopes to be asked for."""
        of_parameter = self.facts.get("authorization_parameters", {}).get("scope", "").split()
        return of_parameter or list(self.get("scopes") or ())

    @property
    def response_type(self) -> str:
        """The response type that the provider knows."""
        stated = self.facts.get("authorization_parameters", {}).get("response_type", "code")
        return str(self.added.get("response_type", stated))

    @property
    def token_format(self) -> str:
        """How the token request has to be written."""
        if self.get("token_request_body") == "json" or self.has_tag("T_JSON"):
            return "json"
        return "query" if self.has_tag("T_QUERY") else "form"

    @property
    def paths(self) -> dict[str, str]:
        """Where each part of a profile stands."""
        whole = {**self.facts.get("profile", {}), **self.added.get("profile", {})}
        kept = {part: path for part, path in whole.items() if path is not False}
        # What another part stands in is an object, and no text.
        return {
            part: path
            for part, path in kept.items()
            if not any(other.startswith(f"{path}.") for other in kept.values())
        }

    @property
    def other_paths(self) -> dict[str, list[str]]:
        """Where other catalogues have them."""
        found: dict[str, list[str]] = {}
        for one in self.facts.get("conflicts", ()):
            if one["field"].startswith("profile."):
                part = one["field"].removeprefix("profile.")
                found.setdefault(part, []).append(str(one["value"]))
        return found

    @property
    def kept(self) -> dict[str, list[str]]:
        """The members of the token answer and of the callback that the API cannot do without."""
        of_answer = self.facts.get("token_answer_members_kept", [])
        of_urls = re.findall(r"\{token\.([^{}]+)\}", str(self.get("userinfo_endpoint")))
        return {
            "answer": list(dict.fromkeys([*of_answer, *of_urls, *self.added.get("metadata", [])])),
            "callback": list(self.facts.get("callback_parameters_kept", ())),
        }


@cache
def read_demands() -> Mapping[str, Demands]:
    """Return the demands of each provider of the facts, by its name."""
    lines = FACTS_FILE.read_text(encoding="utf-8").splitlines()
    facts = [json.loads(line) for line in lines]
    return {one["name"]: Demands(one, additions().get(one["name"], {})) for one in facts}


def fits(template: str, path: str, query: Mapping[str, str]) -> bool:
    """Return whether a request, whose path begins with the host, is for a stated URL."""
    stated = re.sub(r"\{(\w+)\}base_url\{\}", r"{\1}", template).removesuffix("{}")
    stated = stated.replace("/#/", "/")
    stated = re.sub(r"^(\{[^{}.]+\})(?=[^/?.])", r"\1/", stated.partition("#")[0])
    stated = re.sub(r"^(\{token\.[^{}]+\})(?=[^/?.])", r"\1/", stated)
    where, _, asked = stated.removeprefix("https://").partition("?")
    is_whole = where.startswith("{") and not where.partition("}")[2].startswith(".")
    pattern = _PLACEHOLDER.sub("[^/?]+", re.escape(where))
    if is_whole:
        # A server of a customer's own may be anywhere below its address.
        pattern = pattern.replace("[^/?]+", "[^?]+", 1)
    return re.fullmatch(pattern, path.lstrip("/")) is not None and holds(
        dict(parse_qsl(asked, keep_blank_values=True)), query
    )


def holds(stated: Mapping[str, str], given: Mapping[str, str]) -> bool:
    """Return whether stated parameters are given; a placeholder stands for any text."""
    # A server of a customer's own is one of the harness, which has no TLS.
    stated = {name: re.sub(r"^https://(?=\{[^{}]*\}$)", "", text) for name, text in stated.items()}
    return all(
        name in given
        and re.fullmatch(_PLACEHOLDER.sub(".+", re.escape(text)), given[name]) is not None
        for name, text in stated.items()
    )
