"""Have APScheduler run a command many times at one instant, from jobs in SQLite.

``COUNT INSTANT OUTPUT DATABASE ARGV…``; ``INSTANT`` is in seconds since 1970.
"""

import subprocess
import sys
import threading
from datetime import UTC, datetime

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, EVENT_JOB_MISSED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler


def run(argv, output):
    """Run a command with its output added to a file."""
    with open(output, "ab") as stream:
        subprocess.run(argv, stdout=stream, check=True)


def main():
    """Schedule, and wait until all have ended."""
    count, instant, output, database, *argv = sys.argv[1:]
    left, ended = int(count), threading.Event()

    def count_down(event):
        nonlocal left
        left -= 1
        if event.code != EVENT_JOB_EXECUTED:
            print(event, file=sys.stderr)
        if not left:
            ended.set()

    scheduler = BackgroundScheduler(
        jobstores={"default": SQLAlchemyJobStore(f"sqlite:///{database}")},
        executors={"default": ThreadPoolExecutor(64)},
        job_defaults={"misfire_grace_time": 300},
        timezone=UTC,
    )
    scheduler.add_listener(
        count_down, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR | EVENT_JOB_MISSED
    )
    when = datetime.fromtimestamp(float(instant), UTC)
    scheduler.start(paused=True)
    for _ in range(int(count)):
        scheduler.add_job(run, "date", run_date=when, args=[argv, output])
    scheduler.resume()
    if not ended.wait(300):
        sys.exit(f"{left} jobs have not ended")
    scheduler.shutdown()


if __name__ == "__main__":
    # Jobs are stored by the name of what they call.
    sys.modules["apscheduler_run"] = sys.modules["__main__"]
    run.__module__ = "apscheduler_run"
    main()
