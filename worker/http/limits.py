"""Timeouts and rates of the web process, in one place; tests pass smaller ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are in seconds. A provider has 15 seconds for each of our requests."""

    #: Browsers and proxies give up after a minute.
    code_exchange_seconds: float = 40
    #: Longer than a worker may take to ask an issuer for its metadata.
    discovery_seconds: float = 20
    renewal_seconds: float = 20
    #: Longer than a range server of breach lists may take to answer, behind a queue.
    policy_seconds: float = 40
    #: A worker asks an issuer twice and for its keys.
    provider_check_seconds: float = 55
    #: By address. Many people may share one, but not so many that more than this sign in at once.
    sign_ins_per_minute: int = 300
    #: By address. Refusals need no key and each is an event: they must not fill the audit trail.
    sign_in_refusals_per_minute: int = 30
    #: Of all addresses together: each sign-in that a browser begins is a row until it expires.
    sign_ins_per_minute_in_all: int = 6000
    sign_in_refusals_per_minute_in_all: int = 600
