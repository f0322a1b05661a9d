"""Metrics of the whole service: what workers did shows at one web process, and is summed once."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from actors.telemetry.series import OTHER, Counter
from catfeeder.client import Client
from catfeeder.errors import QueueUnreachable
from catfeeder.queue.lua_scripts import call_script
from tests.oidc_provider import OidcProvider
from tests.waiting import wait_until
from tests.worker.http.signing_in import sign_in
from worker.http.metrics.scrape import Metrics, Part
from worker.http.shim import Shim
from worker.telemetry import publishing
from worker.telemetry.publishing import PROCESSES_KEY, TOTALS_KEY, MetricsPublisher
from worker.telemetry.totals import read_totals


def read_metric(text: str, line: str) -> float:
    """Return the number of a series, 0 where it is not there; `line` is all before the number."""
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.fixture
def scrape(http: httpx.Client) -> Callable[[str], float]:
    """Reads a number as it has grown since the test began: the process has run other tests."""
    before = http.get("/metrics").text

    def read(line: str) -> float:
        return read_metric(http.get("/metrics").text, line) - read_metric(before, line)

    return read


@pytest.mark.usefixtures("worker")
def test_jobs_of_workers_are_counted_and_timed(
    http: httpx.Client, service: Client, scrape: Callable[[str], float]
) -> None:
    # Given one job that goes well, one that is refused, and one that was cancelled before
    wait = {"Prefer": "wait=10"}
    assert http.post(
        "/v1/passwords/hash", json={"password": "correct horse"}, headers=wait
    ).is_success
    refused = service.check_password("correct horse", "no hash of any kind")
    wait_until(lambda: refused.record().status.is_final)
    http.post("/v1/queues/oauth/pause")
    assert service.user_info("house", access_token="a token").cancel()
    http.post("/v1/queues/oauth/resume")

    # Then each is there by its actor and outcome, with its duration and its wait
    wait_until(
        lambda: scrape('catfeeder_jobs_total{actor="fetch_user_info",outcome="skipped"}') == 1
    )
    hashed = 'actor="hash_password",outcome="succeeded"'
    assert scrape(f"catfeeder_jobs_total{{{hashed}}}") == 1
    assert scrape('catfeeder_jobs_total{actor="check_password",outcome="refused"}') == 1
    assert scrape(f"catfeeder_job_seconds_count{{{hashed}}}") == 1
    assert 0 < scrape(f"catfeeder_job_seconds_sum{{{hashed}}}") < 10
    assert scrape('catfeeder_queue_wait_seconds_bucket{le="60.0",queue="passwords"}') == 2
    # And what has not happened yet is 0, so that its first time is an increase
    text = http.get("/metrics").text
    assert 'catfeeder_jobs_total{actor="shut_down",outcome="failed"} 0.0' in text
    assert 'catfeeder_webhook_deliveries_total{outcome="given_up"}' in text
    # And the processes' figures stand beside them, by their line
    assert read_metric(text, 'catfeeder_processes{role="web"}') == 1
    assert read_metric(text, 'catfeeder_process_resident_memory_bytes{role="web"}') > 1e6
    assert read_metric(text, 'catfeeder_process_open_fds{role="web"}') > 3
    assert 0 < read_metric(text, 'catfeeder_process_open_fds_ratio{role="web"}') < 1
    assert read_metric(text, 'catfeeder_process_cpu_seconds_total{role="web"}') > 0


def test_renewals_and_calls_are_counted_by_provider(
    http: httpx.Client, house: OidcProvider, scrape: Callable[[str], float]
) -> None:
    connection = sign_in(http, house, "alice", scope="openid offline_access")
    http.post(f"/v1/connections/{connection['id']}/renew", headers={"Prefer": "wait=10"})

    # The keys are in this process's cache, if another test has fetched them.
    for operation in ("discovery", "code", "user_info", "refresh"):
        labels = f'operation="{operation}",provider="house"'
        assert scrape(f"catfeeder_provider_seconds_count{{{labels}}}") >= 1, operation
    assert scrape('catfeeder_renewals_total{outcome="renewed",provider="house"}') == 1
    # And nothing that names the user stands in a label
    text = http.get("/metrics").text
    assert "alice" not in text
    assert connection["id"] not in text


def test_of_several_web_processes_one_answers_for_the_service(
    shim: Shim, http: httpx.Client
) -> None:
    # Given a web process that serves, and one that was started since
    wait_until(lambda: shim.client.redis.zcard("catfeeder:processes"))
    younger = Metrics(shim.client.broker, lambda: 0)
    younger.announce()

    # When both are scraped, then the whole service's are at one of them, and each has its own
    first, second = http.get("/metrics").text, younger.text().decode()
    assert "catfeeder_connections{" in first
    assert "catfeeder_jobs_total{" in first
    assert "catfeeder_connections{" not in second
    assert "catfeeder_jobs_total{" not in second
    assert all("catfeeder_http_waiting" in text for text in (first, second))
    # And behind one address, each part can be asked for by itself
    service = younger.text(Part.SERVICE).decode()
    assert "catfeeder_connections{" in service
    assert "catfeeder_http_waiting" not in service
    assert "catfeeder_connections{" not in http.get("/metrics", params={"of": "process"}).text
    assert http.get("/metrics", params={"of": "all"}).status_code == 422
    # And once the first has ended, the second answers
    shim.metrics.end()
    assert "catfeeder_connections{" in younger.text().decode()


def test_a_batch_counts_once_whether_or_not_its_answer_arrives(
    service: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a process whose counts reach Redis, while the answer is lost
    counter = Counter("catfeeder_jobs", "", ("actor", "outcome"))
    publisher = MetricsPublisher(service.redis, "web")
    publisher.publish_now()
    counter.inc("reseal", "succeeded")

    def send_and_lose(*arguments: object) -> None:
        call_script(*arguments)  # type: ignore[arg-type]
        raise QueueUnreachable

    monkeypatch.setattr(publishing, "call_script", send_and_lose)
    publisher.publish_now()
    monkeypatch.undo()

    # When it publishes again, with one more, then each counts once
    counter.inc("reseal", "succeeded")
    publisher.publish_now()
    publisher.publish_now()
    assert service.redis.hget(TOTALS_KEY, '["catfeeder_jobs",["reseal","succeeded"],""]') == b"2"
    # And the end of the process takes none of it back
    publisher.end()
    totals = read_totals(service.redis)
    assert [n for one, n in totals.amounts.items() if one.labels == ("reseal", "succeeded")] == [2]
    assert totals.processes == []


def test_numbers_that_another_program_wrote_do_not_break_a_scrape(
    http: httpx.Client, shim: Shim
) -> None:
    redis = shim.client.redis
    forged = {
        "no json": "1",
        '["catfeeder_of_others",[],""]': "1",
        '["catfeeder_jobs",["a\\"} 1\\nx{y=\\"","failed"],""]': "1",
        '["catfeeder_jobs",["one label"],""]': "1",
        '["catfeeder_jobs",["reseal","failed"],"0.5"]': "1",
        '["catfeeder_jobs",["reseal","failed"],""]': "nan",
        '["catfeeder_job_seconds",["reseal","failed"],"0.3"]': "1",
    }
    for field, value in forged.items():
        redis.hset(TOTALS_KEY, field, value)
    redis.hset(PROCESSES_KEY, "x", "9999999999 1 {}")
    redis.hset(PROCESSES_KEY, "y", b"\xff")

    text = http.get("/metrics").text
    assert 'actor="reseal",outcome="failed"} 0.0' in text
    # And a bucket of another release falls into the next one
    buckets = {
        bound: read_metric(
            text, f'catfeeder_job_seconds_bucket{{actor="reseal",le="{bound}",outcome="failed"}}'
        )
        for bound in ("0.25", "0.5", "+Inf")
    }
    assert buckets == {"0.25": 0, "0.5": 1, "+Inf": 1}
    # And of a key of another type the next publication makes a new one
    redis.delete(TOTALS_KEY)
    redis.set(TOTALS_KEY, "x")
    assert "catfeeder_jobs_total" in http.get("/metrics").text


def test_labels_are_bounded_whatever_is_counted() -> None:
    counter = Counter("catfeeder_of_this_test", "", ("provider",))
    sets = {counter._bound((f"provider-{number}",)) for number in range(2000)}

    assert len(sets) <= 301
    assert (OTHER,) in sets
    assert counter._bound(("x" * 500,)) == (OTHER,)


def test_a_key_of_the_scope_metrics_scrapes_and_does_nothing_else(
    http: httpx.Client, anonymous: httpx.Client
) -> None:
    made = http.post("/v1/keys", json={"name": "prometheus", "scopes": ["metrics"]}).json()
    key = {"Authorization": f"Bearer {made['key']}"}

    assert anonymous.get("/metrics", headers=key).status_code == 200
    assert anonymous.get("/v1/connections", headers=key).status_code == 403
    # And no app's key may have it: the numbers are of all apps
    http.post("/v1/apps", json={"id": "shop", "name": "Shop"})
    refused = {"name": "prometheus", "app": "shop", "scopes": ["metrics"]}
    assert http.post("/v1/keys", json=refused).status_code == 422
