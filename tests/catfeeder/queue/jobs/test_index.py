"""Index of jobs: the latest ids of each app, and no more of them."""

from __future__ import annotations

from catfeeder.client import Client
from catfeeder.queue.jobs.index import MAX_JOBS, build_addition, index_key
from catfeeder.queue.jobs.records import JOB_TTL_SECONDS
from catfeeder.queue.lua_scripts import call_script


def test_an_index_keeps_the_latest_ids_for_an_hour(client: Client) -> None:
    # Given more jobs of an app than an index holds, one of which was added again
    ids = [f"job-{number}" for number in range(MAX_JOBS + 2)]
    for app, job_id in [*(("shop", one) for one in ids), ("shop", ids[5]), ("bot", "job-x")]:
        call_script(client.redis, build_addition(app, job_id))
    # Then the oldest are gone, the rest is in its order, and another app has its own
    kept = client.redis.zrange(index_key("shop"), 0, -1)
    assert kept == [one.encode() for one in ids[2:]]
    assert client.redis.zrange(index_key("bot"), 0, -1) == [b"job-x"]
    assert 0 < client.redis.ttl(index_key("shop")) <= JOB_TTL_SECONDS
