"""Procrastinate's part: ``schema``, ``work`` or ``send COUNT INSTANT OUTPUT ARGV…``.

``INSTANT`` is in seconds since 1970, or 0 for at once. ``send`` prints how many seconds
passed from the first job that was sent until the last had ended.
"""

import asyncio
import os
import sys
import time
from datetime import UTC, datetime

import procrastinate

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ["DATABASE"])
)


@app.task(name="run")
async def run(argv, output):
    """Run a command with its output added to a file."""
    with open(output, "ab") as stream:
        process = await asyncio.create_subprocess_exec(*argv, stdout=stream)
        await process.wait()


async def send(count, instant, output, argv):
    """Send all in one batch; wait until none is left."""
    options = {}
    if float(instant):
        options["schedule_at"] = datetime.fromtimestamp(float(instant), UTC)
    began = time.perf_counter()
    await run.configure(**options).batch_defer_async(
        *({"argv": argv, "output": output} for _ in range(int(count)))
    )
    while True:
        left = await app.job_manager.list_jobs_async(status="todo")
        left += await app.job_manager.list_jobs_async(status="doing")
        if not left:
            break
        await asyncio.sleep(0.05)
    print(time.perf_counter() - began)


async def main():
    """Do what is asked."""
    word, *rest = sys.argv[1:]
    async with app.open_async():
        if word == "schema":
            await app.schema_manager.apply_schema_async()
        elif word == "work":
            await app.run_worker_async(concurrency=64)
        else:
            count, instant, output, *argv = rest
            await send(count, instant, output, argv)


asyncio.run(main())
