"""Sign-ins a second, from the callback to the stored connection, beside a bare loop of Authlib."""

from __future__ import annotations

import contextlib
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import requests

from benchmarks.measuring.core_time import server_core_seconds
from benchmarks.measuring.figures import Figure, spread, table
from benchmarks.measuring.provider import running_provider
from benchmarks.measuring.stack import ADMIN_API_KEY, Stack, new_stack
from benchmarks.renewals.database import kinds
from benchmarks.tokens.openid_provider import CLIENT_ID, CLIENT_SECRET
from config import ROOT

_REPEATS: Final = 5
_COUNT: Final = 300
_CALLERS: Final = 16
#: The loop as it is usually written, and with as many threads as we have callers.
_THREADS: Final = (1, _CALLERS)
_PATIENCE_SECONDS: Final = 60
_PROVIDER: Final = "benchmarks.tokens.openid_provider"
_METADATA: Final = "/.well-known/openid-configuration"
_numbers: Final = itertools.count()


@dataclass(frozen=True, slots=True)
class Run:
    """The sign-ins of some seconds: their rate, and the core time of each."""

    per_second: float
    core_milliseconds: float


@dataclass(frozen=True, slots=True)
class Contest:
    """The runs on one database: ours, and the loop's by its threads."""

    ours: list[Run]
    bare: dict[int, list[Run]]


def measure(repeats: int = _REPEATS, count: int = _COUNT) -> list[Figure]:
    """Sign in by each in turn, at the same provider, on each database that there is."""
    return list(compare(run_all(repeats, count)))


def run_all(repeats: int = _REPEATS, count: int = _COUNT) -> dict[str, Contest]:
    """Return the runs on each database."""
    return {name: _run(opened, repeats, count) for name, opened in kinds().items()}


def _run(
    opened: Callable[[], contextlib.AbstractContextManager[str]], repeats: int, count: int
) -> Contest:
    with opened() as url, running_provider(_PROVIDER, _METADATA) as issuer, new_stack() as stack:
        variables = {"DATABASE_URL": url, "OAUTH_ALLOWED_PRIVATE_HOSTS": urlsplit(issuer).netloc}
        service = stack.directory.healthy(**stack.environment, **variables)
        _set_up(stack, issuer)
        _sign_in_many(stack, url, count // 4)
        contest = Contest([], {threads: [] for threads in _THREADS if find_spec("authlib")})
        for _ in range(repeats):
            contest.ours.append(_sign_in_many(stack, url, count))
            for threads, runs in contest.bare.items():
                runs.append(_run_loop(issuer, threads, count))
        service.stop()
    return contest


def _set_up(stack: Stack, issuer: str) -> None:
    settings = {
        "issuer": issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "identity": "id_token",
        "scopes": ["openid", "email"],
    }
    _ask(requests.Session(), "PUT", f"http://127.0.0.1:{stack.port}/v1/providers/house", settings)


def _ask(
    session: requests.Session, method: str, url: str, body: Mapping[str, object]
) -> requests.Response:
    headers = {"Authorization": f"Bearer {ADMIN_API_KEY}"}
    answer = session.request(method, url, headers=headers, json=body, timeout=_PATIENCE_SECONDS)
    if not answer.ok:
        raise RuntimeError(f"{url} was answered with {answer.text}")
    return answer


def _sign_in_many(stack: Stack, database_url: str, count: int) -> Run:
    """Begin so many sign-ins, and measure how long it takes to end them all."""
    sessions = [requests.Session() for _ in range(_CALLERS)]
    with ThreadPoolExecutor(_CALLERS) as pool:
        begun = list(
            pool.map(lambda number: _begin(stack, sessions[number % _CALLERS]), range(count))
        )
        before, began = _core_seconds(stack, database_url), time.perf_counter()
        ended = [
            pool.submit(_end_all, stack, session, begun[place::_CALLERS])
            for place, session in enumerate(sessions)
        ]
        for done in ended:
            done.result()
        seconds = time.perf_counter() - began
    spent = _core_seconds(stack, database_url) - before
    return Run(count / seconds, spent / count * 1000)


def _core_seconds(stack: Stack, database_url: str) -> float:
    return stack.core_seconds() + server_core_seconds(database_url)


def _begin(stack: Stack, session: requests.Session) -> dict[str, str]:
    """Return what the browser brings to the callback; the provider's code is the nonce."""
    body = {"subject": f"user-{next(_numbers)}", "unbound": True}
    url = f"http://127.0.0.1:{stack.port}/v1/oauth/house/authorize"
    told = _ask(session, "POST", url, body).json()
    query = parse_qs(urlsplit(told["authorization_url"]).query)
    return {"code": query["nonce"][0], "state": told["state"]}


def _end_all(stack: Stack, session: requests.Session, brought: list[dict[str, str]]) -> None:
    for answer in brought:
        ended = session.get(
            f"http://127.0.0.1:{stack.port}/v1/oauth/callback/house",
            params=answer,
            timeout=_PATIENCE_SECONDS,
        )
        if ended.status_code != 200:
            raise RuntimeError(f"a callback was answered with {ended.text}")


def _run_loop(issuer: str, threads: int, count: int) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.peers.authlib_loop", issuer, str(threads)]
        done = subprocess.run(
            [*command, str(count), str(Path(folder) / "loop.sqlite3")],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    seconds, core_seconds = json.loads(done.stdout)
    return Run(count / seconds, core_seconds / count * 1000)


def compare(contests: dict[str, Contest]) -> Iterator[Figure]:
    """Compare the rates and the core time of each sign-in."""
    for database, contest in contests.items():
        ours = contest.ours
        of = f"{database}, one web and one oauth process"
        for threads, bare in contest.bare.items():
            name = f"bare Authlib with SQLite, {threads} thread{'s' if threads > 1 else ''}"
            pairs = list(zip(ours, bare, strict=True))
            yield Figure(
                f"sign-ins from callback to connection: {of}",
                spread([one.per_second for one in ours], ".0f", "/s"),
                f"{name}: {spread([one.per_second for one in bare], '.0f', '/s')}",
                statistics.median(one.per_second / other.per_second for one, other in pairs),
            )
            yield Figure(
                "- of a core for each",
                spread([one.core_milliseconds for one in ours], ".1f", "ms"),
                f"{name}: {spread([one.core_milliseconds for one in bare], '.1f', 'ms')}",
                statistics.median(
                    other.core_milliseconds / one.core_milliseconds for one, other in pairs
                ),
            )


def draw_sign_ins(contests: dict[str, Contest], path: Path) -> None:
    """Write the plot of sign-ins a second to a PNG file."""
    from benchmarks.measuring.plot import draw_bars

    rates: dict[str, float] = {}
    for database, contest in contests.items():
        rates[f"ours, {database}"] = statistics.median(one.per_second for one in contest.ours)
        for threads, bare in contest.bare.items():
            name = f"bare Authlib, {threads} thread{'s' if threads > 1 else ''}"
            rates[name] = statistics.median(one.per_second for one in bare)
    title = "Sign-ins a second, id_token verified: one web and one oauth process"
    draw_bars(rates, path, title, "sign-ins a second")


if __name__ == "__main__":
    print(table(measure()))
