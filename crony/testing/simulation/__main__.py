"""Play histories: ``python -m crony.testing.simulation --seed 42 --count 1000``.

One seed is told line by line, so that it can be read what led to what; of many, only
those that violate a guarantee.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from crony.storage import open_store
from crony.storage.contract import Store
from crony.testing.simulation.faults import Violation
from crony.testing.simulation.history import play


def main() -> int:
    """Return 1 when a guarantee was violated."""
    parser = argparse.ArgumentParser(prog="python -m crony.testing.simulation")
    parser.add_argument("--seed", type=int, default=0, help="the first")
    parser.add_argument("--count", type=int, default=1, help="how many from there on")
    parser.add_argument("--storage", default="memory://", help="URL of an empty store")
    parser.add_argument("--quiet", action="store_true", help="do not tell a single one")
    parser.add_argument("--keep-going", action="store_true", help="after a violation")
    options = parser.parse_args()
    single = options.count == 1 and not options.quiet
    trace = _say if single else None
    found = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        for seed in range(options.seed, options.seed + options.count):
            store = fresh(options.storage, Path(home) / str(seed))
            try:
                history = play(seed, store=store, trace=trace)
            except Violation as exc:
                found += 1
                _say(f"seed {seed}: {exc}")
                if not options.keep_going:
                    return 1
            else:
                if single:
                    _say(f"{history}")
            finally:
                store.close()
    took = time.monotonic() - began
    _say(f"{options.count} histories in {took:.1f} s, {found} violations")
    return 1 if found else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def fresh(url: str, home: Path) -> Store:
    """Return an empty store of that kind, in a folder of its own."""
    home.mkdir()
    store = open_store(url, home=home)
    store.migrate()
    store.open()
    return store


if __name__ == "__main__":
    sys.exit(main())
