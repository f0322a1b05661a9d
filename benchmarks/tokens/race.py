"""Race for one token: twelve callers read it while it runs out every twelve seconds."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import requests

from benchmarks.measuring.figures import Figure, table
from benchmarks.measuring.provider import running_provider
from benchmarks.measuring.stack import ADMIN_API_KEY, new_stack
from benchmarks.tokens.contenders import BETTER_AUTH, OURS, has_better_auth, start_better_auth
from benchmarks.tokens.rotating_provider import LIFETIME_SECONDS

CALLERS: Final = 12
_SECONDS: Final = 40.0
_PAUSE_SECONDS: Final = 0.02
_PATIENCE_SECONDS: Final = 30
_PROVIDER: Final = "benchmarks.tokens.rotating_provider"


@dataclass(frozen=True, slots=True)
class Read:
    """One read: when it was answered, by `time.time`, how, and with which token."""

    at: float
    status: int
    token: str | None


@dataclass(frozen=True, slots=True)
class Race:
    """What became of a contender's reads, and of its refresh tokens at the provider."""

    began: float
    reads: list[Read]
    renewals: int
    #: When the provider refused a refresh token that it had seen before.
    spent_at: list[float]
    #: When a read was answered with an error, or with a token that had run out.
    failed_at: list[float]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The address and the request of a contender's token."""

    port: int
    method: str
    path: str
    headers: dict[str, str]
    body: str | None = None


Races = dict[str, Race]


def measure(seconds: float = _SECONDS) -> list[Figure]:
    """Let both race, and compare."""
    return figures(run(seconds))


def run(seconds: float = _SECONDS) -> Races:
    """Return each contender's race, one after the other at the same provider."""
    races = {}
    with running_provider(_PROVIDER, "/none/figures") as provider:
        with _asking_ours(f"{provider}/ours") as asked:
            races[OURS] = _race(asked, f"{provider}/ours", seconds)
        if has_better_auth():
            with _asking_better_auth(f"{provider}/better-auth") as asked:
                races[BETTER_AUTH] = _race(asked, f"{provider}/better-auth", seconds)
    return races


@contextlib.contextmanager
def _asking_ours(provider: str) -> Iterator[_Asked]:
    """Start the whole service as it comes, and move the grant in."""
    with new_stack() as stack:
        host = provider.partition("//")[2].partition("/")[0]
        service = stack.directory.healthy(**stack.environment, OAUTH_ALLOWED_PRIVATE_HOSTS=host)
        headers = {"Authorization": f"Bearer {ADMIN_API_KEY}"}
        url = f"http://127.0.0.1:{stack.port}/v1"
        endpoints = {
            "authorization_endpoint": f"{provider}/authorize",
            "token_endpoint": f"{provider}/token",
            "identity": "none",
        }
        client = {"client_id": "client-of-figures", "client_secret": "a-secret-of-figures"}
        _ask("PUT", f"{url}/providers/rotating", headers, {**endpoints, **client})
        expires_at = datetime.now(UTC) + timedelta(seconds=LIFETIME_SECONDS)
        tokens = {
            "access_token": "access-0",
            "refresh_token": "refresh-0",
            "expires_at": expires_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "scope": "email",
        }
        body = {"provider": "rotating", "tokens": tokens, "profile": {"subject": "account"}}
        made = _ask("POST", f"{url}/connections", headers, body)
        yield _Asked(stack.port, "GET", f"/v1/connections/{made['id']}/token", headers)
        service.stop()


def _ask(method: str, url: str, headers: dict[str, str], body: dict[str, Any]) -> Any:
    answer = requests.request(method, url, headers=headers, json=body, timeout=_PATIENCE_SECONDS)
    if not answer.ok:
        raise RuntimeError(f"{url} was answered with {answer.text}")
    return answer.json()


@contextlib.contextmanager
def _asking_better_auth(provider: str) -> Iterator[_Asked]:
    with contextlib.ExitStack() as parts:
        told = start_better_auth(parts, provider, LIFETIME_SECONDS)
        head, _, body = told.requests[0].decode().partition("\r\n\r\n")
        first, *fields = head.split("\r\n")
        method, path, _ = first.split(" ")
        headers = dict(field.split(": ", 1) for field in fields)
        yield _Asked(told.port, method, path, headers, body)


def _race(asked: _Asked, provider: str, seconds: float) -> Race:
    reads: list[Read] = []
    began = time.time()
    callers = [
        threading.Thread(target=_read_on, args=(asked, began + seconds, reads))
        for _ in range(CALLERS)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    told = requests.get(f"{provider}/figures", timeout=_PATIENCE_SECONDS).json()
    granted = {"access-0": began, **dict(told["granted"])}
    failed = [read.at for read in reads if not _is_good(read, granted)]
    return Race(began, reads, len(told["granted"]), told["refused_at"], sorted(failed))


def _read_on(asked: _Asked, ends: float, reads: list[Read]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", asked.port, timeout=_PATIENCE_SECONDS)
    while time.time() < ends:
        connection.request(asked.method, asked.path, asked.body, asked.headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        token = told.get("access_token") or told.get("accessToken")
        reads.append(Read(time.time(), answer.status, token))
        time.sleep(_PAUSE_SECONDS)
    connection.close()


def _is_good(read: Read, granted: dict[str, float]) -> bool:
    """Tell whether a read was answered with a token that serves at that time."""
    if read.status != 200 or read.token is None:
        return False
    # The token that a race begins with is not the provider's own, and runs out alike.
    return read.at <= granted.get(read.token, granted["access-0"]) + LIFETIME_SECONDS + 1


def figures(races: Races) -> list[Figure]:
    """Compare spent refresh tokens and failed reads."""
    described = {
        name: f"{len(race.spent_at)} sent twice, {len(race.failed_at)} of "
        f"{len(race.reads):,} reads failed, {race.renewals} renewals"
        for name, race in races.items()
    }
    peer = described.get(BETTER_AUTH)
    return [
        Figure(
            f"{CALLERS} callers, one {LIFETIME_SECONDS}-second token, {_SECONDS:.0f} s, "
            "one oauth process, sweep each 30 s: refresh tokens",
            described[OURS],
            f"{BETTER_AUTH}: {peer}" if peer else "",
            goal="none sent twice, no read failed",
        )
    ]


def draw_race(races: Races, path: Path) -> None:
    """Write the plot of failed reads over time to a PNG file."""
    from benchmarks.measuring.plot import COLORS, new_axes

    figure, axes = new_axes()
    for (name, race), color in zip(races.items(), COLORS, strict=False):
        times = [0.0, *(at - race.began for at in race.failed_at), _SECONDS]
        counts = [*range(len(race.failed_at) + 1), len(race.failed_at)]
        label = f"{name}: {len(race.failed_at)} failed, {len(race.spent_at)} tokens sent twice"
        axes.step(times, counts, where="post", label=label, color=color, linewidth=2.5)
    axes.set(
        xlabel="seconds",
        ylabel="reads that have failed so far",
        title=f"{CALLERS} callers share one token, whose refresh token serves once",
        xlim=(0, _SECONDS),
    )
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    print(table(measure()))
