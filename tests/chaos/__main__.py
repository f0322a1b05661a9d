"""`python -m tests.chaos`: kills a service at random for a while, and judges the outcome."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
from pathlib import Path

# Before Peewee, which leaves out the client of any database that our own environment does not name.
import psycopg  # noqa: F401

from tests.chaos.run import Plan, run


def _main() -> int:
    # A signal must not leave a dozen processes behind.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long it is killed")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of the chances")
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--token-seconds", type=int, default=20, help="how long a token lives")
    parser.add_argument("--apps", type=int, default=8, help="clients at the same time")
    parser.add_argument("--pause", type=float, default=2, help="seconds between two kills at most")
    parser.add_argument("--away", type=float, default=2, help="and that the dead stay so")
    parser.add_argument("--oauth", type=int, default=4, help="processes that renew")
    parser.add_argument("--sqlite", action="store_true", help="in place of PostgreSQL")
    parser.add_argument("--logs", type=Path, help="where to copy what the processes have said")
    plan = Plan(**vars(parser.parse_args()))
    _print(f"Seed {plan.seed}; {plan.connections} connections, killed for {plan.seconds:.0f} s.")
    outcome = run(plan, _print)
    for name, figure in outcome.figures.items():
        _print(f"{name:>35}  {figure}")
    for loss in outcome.losses:
        _print(f"Unavoidable: {loss}")
    for fault in outcome.faults:
        _print(f"FAULT: {fault}")
    _print(f"Seed {plan.seed}: {len(outcome.faults)} faults.")
    return min(len(outcome.faults), 1)


def _print(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(_main())
