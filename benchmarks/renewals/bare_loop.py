"""Peer of renewals: requests-oauthlib in a loop, pooled: `python -m ... URL THREADS COUNT`."""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"


def renew(url: str, threads: int, count: int) -> tuple[float, float]:
    """Renew `count` tokens in `threads` threads; return the seconds, and those of a core."""
    adapter = HTTPAdapter(pool_maxsize=threads)
    loops = [
        threading.Thread(target=_loop, args=(url, adapter, count // threads))
        for _ in range(threads)
    ]
    began, worked = time.perf_counter(), time.process_time()
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    return time.perf_counter() - began, time.process_time() - worked


def _loop(url: str, adapter: HTTPAdapter, count: int) -> None:
    """Renew in one session per thread, as a careful loop would."""
    session = OAuth2Session("client-of-figures")
    session.mount("http://", adapter)
    authentication = HTTPBasicAuth("client-of-figures", "a-secret-of-figures")
    token = {"refresh_token": "refresh-first"}
    for _ in range(count):
        token = session.refresh_token(url, token["refresh_token"], auth=authentication)


if __name__ == "__main__":
    print(json.dumps(renew(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
