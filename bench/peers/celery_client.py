"""Have Celery run a command many times: ``COUNT INSTANT OUTPUT ARGV…``.

``INSTANT`` is in seconds since 1970, or 0 for at once. Prints how many seconds passed
from the first task that was sent until the last result was there.
"""

import sys
import time
from datetime import UTC, datetime

from celery import group
from celery_tasks import run


def main():
    """Send, wait, and tell."""
    count, instant, output, *argv = sys.argv[1:]
    options = {}
    if float(instant):
        options["eta"] = datetime.fromtimestamp(float(instant), UTC)
    began = time.perf_counter()
    result = group(
        run.s(argv, output).set(**options) for _ in range(int(count))
    ).apply_async()
    result.get(timeout=300)
    print(time.perf_counter() - began)


main()
