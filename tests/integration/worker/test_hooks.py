"""Hooks, from a schedule to what they say of its runs."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crony.testing.worker import WorkerProcess
from tests.integration.worker.stage import Found, Stage

pytestmark = pytest.mark.xdist_group("worker-hooks")


def hook(line: str, **members: object) -> dict[str, object]:
    """Return a hook of a shell line."""
    return {"task": {"command": line}, **members}


def of_source(entries: list[Found], source: str) -> list[Found]:
    """Return the entries of one source."""
    return [entry for entry in entries if entry["source"] == source]


def test_what_an_error_hook_prints_stands_beside_the_runs_own_error(
    stage: Stage, worker: WorkerProcess
) -> None:
    facts = "$CRONY_HOOK $CRONY_PARENT_STATE $CRONY_PARENT_EXIT_CODE"
    line = f'echo "{facts} $CRONY_PARENT_RUN_ID $CRONY_PARENT_ATTEMPT"; cat'
    schedule = stage.shell("exit 3", hooks={"error": hook(line)})
    found = stage.seen(schedule, lambda it: len(it["errors"]) == 2)
    (own,) = of_source(found["errors"], "task")
    (said,) = of_source(found["errors"], "hook")
    run = stage.finished(schedule)
    assert own["text"] == "exit code 3"
    assert (said["run"], said["attempt"]) == (run["id"], 1)
    words, stdin = said["text"].split("\n", 1)
    assert words == f"error failed 3 {run['id']} 1"
    told = json.loads(stdin)
    assert (told["id"], told["state"], told["exit_code"]) == (run["id"], "failed", 3)
    # It is told as in a list of runs.
    (listed,) = stage.runs(schedule)
    assert told.keys() == listed.keys()
    assert [one["id"] for one in found["recent_runs"]] == [run["id"]]
    assert found["last_run"]["id"] == run["id"]


def test_a_hooks_run_names_the_run_that_it_follows(
    stage: Stage, worker: WorkerProcess
) -> None:
    schedule = stage.shell("exit 3", hooks={"error": hook("echo seen")})
    stage.seen(schedule, lambda it: len(it["errors"]) == 2)
    (run,) = stage.hooked(schedule)
    (parent,) = stage.runs(schedule)
    assert (run["origin"], run["parent"]) == ("hook", parent["id"])
    assert (run["state"], stage.log(run)) == ("succeeded", "seen\n")


def test_a_progress_hook_looks_again_and_again_while_the_run_goes_on(
    stage: Stage, worker: WorkerProcess
) -> None:
    line = 'echo "{\\"percent\\": 40, \\"message\\": \\"$CRONY_PARENT_STATE\\"}"'
    schedule = stage.shell(
        'trap "exit 0" TERM; while :; do sleep 0.05; done',
        hooks={"progress": hook(line, interval="1s")},
    )
    found = stage.seen(schedule, lambda it: len(it["progress"]) >= 2)
    run = stage.in_state(schedule, "running")
    for entry in found["progress"]:
        assert (entry["source"], entry["percent"]) == ("hook", 40)
        assert (entry["message"], entry["run"]) == ("running", run["id"])
    assert run["progress"]["source"] == "hook"
    stage.client.cancel_run(run["id"])
    assert stage.finished(schedule)["state"] == "cancelled"


def test_a_success_hook_follows_a_run_that_succeeded(
    stage: Stage, worker: WorkerProcess
) -> None:
    schedule = stage.shell("true", hooks={"success": hook("echo all done")})
    found = stage.seen(schedule, lambda it: it["progress"])
    (entry,) = found["progress"]
    assert (entry["source"], entry["percent"]) == ("hook", None)
    assert entry["message"] == "all done"
    assert stage.finished(schedule)["state"] == "succeeded"
    assert found["errors"] == []


def test_a_hook_that_fails_is_recorded_and_changes_nothing(
    stage: Stage, worker: WorkerProcess
) -> None:
    schedule = stage.shell("true", hooks={"success": hook("exit 4")})
    found = stage.seen(schedule, lambda it: it["errors"])
    (entry,) = found["errors"]
    assert (entry["source"], entry["text"]) == ("hook", "exit code 4")
    assert stage.finished(schedule)["state"] == "succeeded"
    assert [run["state"] for run in stage.hooked(schedule)] == ["failed"]


def test_each_failed_attempt_is_followed_and_knows_which_it_is(
    stage: Stage, worker: WorkerProcess
) -> None:
    schedule = stage.shell(
        "exit $CRONY_ATTEMPT",
        retries={"max": 1, "backoff": "200ms", "randomize": False},
        hooks={"error": hook('echo "$CRONY_PARENT_ATTEMPT: $CRONY_PARENT_ERROR"')},
    )
    found = stage.seen(schedule, lambda it: len(it["errors"]) == 4)
    said = {entry["attempt"]: entry for entry in of_source(found["errors"], "hook")}
    assert said[1]["text"] == "1: exit code 1"
    assert said[2]["text"] == "2: exit code 2"


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Return the address of a server, and what it was sent."""
    sent: list[tuple[str, bytes]] = []

    class Keeper(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            sent.append((self.headers["Content-Type"], self.rfile.read(size)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"noted")

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Keeper) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", sent
        server.shutdown()
        thread.join()


def test_a_request_as_a_hook_carries_the_run_and_says_what_it_was_answered(
    stage: Stage,
    worker: WorkerProcess,
    inbox: tuple[str, list[tuple[str, bytes]]],
) -> None:
    url, sent = inbox
    task = {"http": {"method": "POST", "url": url}}
    schedule = stage.shell("exit 3", hooks={"error": {"task": task}})
    found = stage.seen(schedule, lambda it: len(it["errors"]) == 2)
    ((kind, body),) = sent
    assert kind == "application/json"
    assert json.loads(body)["id"] == stage.finished(schedule)["id"]
    assert of_source(found["errors"], "hook")[0]["text"] == "noted"
