"""Celery's part: one task that runs a command. Read by the peer's interpreter alone."""

import os
import subprocess

from celery import Celery

app = Celery("bench", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.update(
    # As durable as it can be told to be: a task is acknowledged when it has ended.
    task_acks_late=True,
    broker_connection_retry_on_startup=True,
)


@app.task
def run(argv, output):
    """Run a command with its output added to a file."""
    with open(output, "ab") as stream:
        return subprocess.run(argv, stdout=stream, check=True).returncode
