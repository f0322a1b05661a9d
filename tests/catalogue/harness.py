"""Harness of the catalogue: signs in, renews and identifies a user with each preset.

Every request goes over real HTTP to a provider process that knows the facts, and not the preset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import requests

from actors.connections.reading import describe_connection, find_connection
from actors.devices.authorization import authorize_device
from actors.devices.polling import poll_leased
from actors.devices.sweep import claim_due_polls
from actors.oauth.exchange import CodeAnswer, finish_sign_in
from actors.oauth.sign_in import begin_sign_in
from actors.providers.catalogue.presets import preset_settings
from actors.providers.config.discovery import discover
from actors.providers.config.lookup import find_provider
from actors.providers.config.schema.body import ProviderSettings
from actors.providers.config.settings import put_provider
from actors.providers.protocol.provider_builder import needs_base_url
from actors.renewal.leased import renew_leased
from catfeeder.errors import CatFeederError
from catfeeder.results import Connection
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS
from models.renewal.leases import claim
from tests.catalogue.answers import SUBJECT, Account, is_openid, kept_value
from tests.catalogue.demands import Demands, read_demands
from tests.catalogue.strict_provider import (
    ASSERTION_ISSUER,
    CLIENT_ID,
    CLIENT_SECRET,
    StrictProvider,
)
from tests.provider.answers import Answer
from tests.provider.clients import KEY_ID, client_key_pem
from tests.provider.server import Request, running_server

_URLS: Final = (
    *("issuer", "authorization_endpoint", "token_endpoint", "refresh_endpoint"),
    "device_authorization_endpoint",
    *("userinfo_endpoint", "emails_endpoint", "revocation_endpoint"),
)
#: Values of variables, of which one fits each pattern.
_SAMPLES: Final = ("acme", "acme1", "eu.example", "0a1b", "acme.my.workfront.com", "amazon.de")


@dataclass
class Outcome:
    """What came of a preset."""

    name: str
    steps: tuple[str, ...] = ()
    #: What it failed by; None where it passed.
    failure: str | None = None
    #: Settings that the service does not have yet.
    pending: tuple[str, ...] = field(default_factory=tuple)

    @property
    def has_passed(self) -> bool:
        """Whether the preset does what the catalogues state."""
        return self.failure is None and not self.pending


def find_unknown(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings of a preset that the service does not have yet."""
    known = ProviderSettings.model_fields
    unknown = [one for one in settings if one not in known]
    has_templates = "variables" in known
    templates = [one for one in _URLS if re.search(r"\{(token\.|acc|cli)", settings.get(one, ""))]
    return tuple(dict.fromkeys([*unknown, *([] if has_templates else templates)]))


class Harness:
    """One server that plays every provider, each below a path of its own."""

    def __init__(self) -> None:
        self.host = ""
        self.providers: dict[str, StrictProvider] = {}
        self.browser = requests.Session()
        self.browser.trust_env = False

    def perform(self, request: Request) -> Answer:
        """Answer a request for `/NAME/HOST/PATH`."""
        _, name, path = request.path.split("/", 2)
        return self.providers[name].perform(request, f"/{path}")

    def try_preset(self, name: str, preset: Mapping[str, Any] | None = None) -> Outcome:
        """Run a preset, or another one in its place, through all steps of a connection."""
        settings = preset_settings(name) if preset is None else preset
        if unknown := find_unknown(settings):
            return Outcome(name, pending=unknown)
        demands = read_demands()[name]
        base = f"http://{self.host}/{name}"
        provider = StrictProvider(demands, base)
        self.providers[name] = provider
        try:
            self._run(name, settings, provider)
        except (CatFeederError, AssertionError, KeyError) as error:
            told = getattr(error, "detail", None) or f"{type(error).__name__}: {error}"
            fields = getattr(error, "fields", "")
            failure = provider.unmet or f"{told} {fields}".strip()
            return Outcome(name, tuple(provider.steps), failure)
        return Outcome(name, tuple(provider.steps), provider.unmet)

    def _run(self, name: str, preset: Mapping[str, Any], provider: StrictProvider) -> None:
        body = self._write_body(name, preset, provider.base)
        provider.issuer = _fill_base(body.get("issuer"), body)
        at = datetime.now(UTC).replace(microsecond=0)
        put_provider(name, body, at)
        discover(name, at)
        connection = self._sign_in(name, preset, at)
        described = describe_connection(connection)
        _check_identity(described, provider)
        _check_kept(described, provider)
        _renew(connection, preset, provider)
        if find_provider(name).has_devices:
            _connect_device(name, preset)

    def _write_body(self, name: str, preset: Mapping[str, Any], base: str) -> dict[str, Any]:
        """Return settings that lead every URL of the preset to this server, and change no other."""
        plain = {key: it for key, it in preset.items() if key != "about"}
        body: dict[str, Any] = {**plain, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        for setting in _URLS:
            if url := preset.get(setting):
                body[setting] = url.replace("https://", f"{base}/", 1)
        for setting in ("authorization_endpoint", "token_endpoint"):
            if setting not in preset and "issuer" not in preset and "preset" not in preset:
                stated = read_demands()[name].facts[setting]
                body[setting] = re.sub(r"^https://\{\w+\}", f"{base}/second.example", stated)
        if exchange := preset.get("long_lived_token"):
            url = exchange["endpoint"].replace("https://", f"{base}/", 1)
            body["long_lived_token"] = {**exchange, "endpoint": url}
        if needs_base_url(preset):
            own = f"{base}/own.example"
            body = (
                {**_replace(body, own), "base_url": own}
                if "preset" in body
                else _replace(body, own)
            )
        if preset.get("token_endpoint_auth_method") == "private_key_jwt":
            del body["client_secret"]
            body |= {"private_key": client_key_pem(), "key_id": KEY_ID}
            body["client_assertion_issuer"] = ASSERTION_ISSUER
        return body

    def _sign_in(self, name: str, preset: Mapping[str, Any], at: datetime) -> TAB_CONNECTIONS:
        begun = begin_sign_in(name, now=at, variables=_sample_all(preset))
        url = begun.authorization_url.replace("/#/", "/")
        assert "{" not in url, url
        response = self.browser.get(url, allow_redirects=False, timeout=20)
        assert response.status_code == requests.codes.found, "the authorization request"
        query = dict(parse_qsl(urlsplit(response.headers["Location"]).query))
        code = Secret(query.pop(find_provider(name).code_parameter))
        state = Secret(query["state"])
        answer = CodeAnswer(name, code, state, parameters=query)
        return finish_sign_in(answer, at).connection


def _replace(value: Any, own: str) -> Any:
    if isinstance(value, str):
        return value.replace("{base_url}", own)
    if isinstance(value, Mapping):
        return {key: _replace(it, own) for key, it in value.items()}
    return value


def _fill_base(issuer: str | None, body: Mapping[str, Any]) -> str | None:
    return issuer and issuer.replace("{base_url}", str(body.get("base_url")))


def _sample_all(preset: Mapping[str, Any]) -> dict[str, str] | None:
    variables = preset.get("variables")
    return variables and {key: _sample(rule) for key, rule in variables.items()}


def _sample(rule: Any) -> str:
    if not isinstance(rule, str):
        return str(rule[0])
    return next(one for one in _SAMPLES if re.fullmatch(rule, one))


def _check_identity(described: Connection, provider: StrictProvider) -> None:
    demands, profile = provider.demands, described["profile"]
    if _names_nobody(demands):
        return
    account = Account(demands, provider.base)
    subjects = {account.value_of("subject")} if "subject" in demands.paths else {SUBJECT}
    subjects |= {SUBJECT} if is_openid(demands) else set()
    assert profile["subject"] in subjects, f"the subject is {profile['subject']}"
    parts = [part for part in ("email", "name", "picture") if part in demands.paths]
    stated = {part: account.value_of(part) for part in parts}
    given = {part: profile[part] for part in stated}
    assert given == stated, f"the profile is {given}"


def _names_nobody(demands: Demands) -> bool:
    """Return whether no catalogue states who the user is."""
    is_token = demands.get("identity") == "token_response"
    return not (demands.get("userinfo_endpoint") or demands.get("issuer") or is_token)


def _check_kept(described: Connection, provider: StrictProvider) -> None:
    demands = provider.demands
    account = Account(demands, provider.base)
    wanted = {name: kept_value(account, name) for name in demands.kept["answer"]}
    wanted |= {name: f"kept-{name}" for name in demands.kept["callback"]}
    given = described["metadata"] or {}
    missing = [name for name, value in wanted.items() if given.get(name) != value]
    assert not missing, f"{', '.join(missing)} is not kept"


def _renew(row: TAB_CONNECTIONS, preset: Mapping[str, Any], provider: StrictProvider) -> None:
    if preset.get("renewal") == "none":
        return
    at = datetime.now(UTC) + timedelta(days=30)
    with hold_connection():
        lease = claim(row.id, at, at + timedelta(minutes=1))
    assert lease is not None, "the connection is not to be renewed"
    before = len(provider.tokens)
    renew_leased(lease, at)
    assert len(provider.tokens) == before + 1, "the renewal"


def _connect_device(name: str, preset: Mapping[str, Any]) -> None:
    device = authorize_device(name, variables=_sample_all(preset))
    with hold_connection():
        TAB_DEVICE_AUTHORIZATIONS.update(next_poll_at=datetime.now(UTC)).execute()
    for lease in claim_due_polls(datetime.now(UTC)):
        poll_leased(lease)
    status = find_connection(device["connection_id"]).status
    assert status == "active", f"the device is {status}"


@contextmanager
def running_harness() -> Iterator[Harness]:
    """Serve all providers for the block."""
    harness = Harness()
    with running_server(harness.perform) as server:
        harness.host = f"127.0.0.1:{server.server_address[1]}"
        try:
            yield harness
        finally:
            harness.browser.close()
