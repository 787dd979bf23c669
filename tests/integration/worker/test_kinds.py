"""Every kind of task, from a schedule to its record."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crony.testing.service import ServiceProcess
from crony.testing.worker import WorkerProcess
from tests.integration.worker.stage import Stage

pytestmark = pytest.mark.xdist_group("worker-kinds")


def test_a_shell_line_prints_and_fails_as_it_does(
    stage: Stage, worker: WorkerProcess
) -> None:
    run = stage.finished(stage.shell("echo out; echo err >&2; exit 3"))
    assert (run["state"], run["reason"], run["exit_code"]) == ("failed", "exit", 3)
    assert run["error"] == "exit code 3"
    assert sorted(stage.log(run).split()) == ["err", "out"]
    (attempt,) = run["attempts"]
    assert attempt["sandbox_level"] in ("full", "namespaces")
    assert attempt["log"] == {"bytes": 8, "kept": 8, "dropped": 0}
    assert attempt["limits"]["memory"] == "512M"


def test_arguments_stdin_and_variables_arrive_unchanged(
    stage: Stage, worker: WorkerProcess
) -> None:
    task = {
        "command": [
            "/bin/sh",
            "-c",
            'cat; printf "%s|" "$@" "$NAME"',
            "sh",
            "a b",
            "*",
        ],
        "stdin": "line 1\nünë\n",
        "env": {"NAME": "$HOME 'quoted'"},
    }
    run = stage.finished(stage.schedule(task))
    assert stage.log(run) == "line 1\nünë\na b|*|$HOME 'quoted'|"


def test_a_task_knows_its_run_and_no_credential(
    stage: Stage, worker: WorkerProcess, service: ServiceProcess
) -> None:
    schedule = stage.schedule({"command": ["/usr/bin/env"]}, retries={"max": 0})
    run = stage.finished(schedule)
    found = dict(line.split("=", 1) for line in stage.log(run).splitlines())
    assert found["CRONY_SCHEDULE_ID"] == schedule
    assert found["CRONY_SCHEDULE_NAME"] == run["schedule_name"]
    assert found["CRONY_RUN_ID"] == run["id"]
    assert found["CRONY_SCHEDULED_FOR"] == run["scheduled_for"]
    assert found["CRONY_ATTEMPT"] == "1"
    assert int(found["CRONY_TOKEN"]) == run["attempts"][0]["token"]
    assert found["CRONY_DEADLINE"] == ""
    assert int(found["CRONY_PROGRESS_FD"]) > 2
    secrets = [n for n, v in found.items() if service.admin_key in v or "_KEY" in n]
    assert secrets == []


def test_a_script_is_executed_by_what_its_first_line_names(
    stage: Stage, worker: WorkerProcess
) -> None:
    script = "#!/usr/bin/env python3\nimport sys\nprint(6 * 7, sys.stdin.read())\n"
    run = stage.finished(stage.schedule({"script": script, "stdin": "in"}))
    assert run["state"] == "succeeded"
    assert stage.log(run) == "42 in\n"


def test_a_script_without_a_first_line_is_the_shells(
    stage: Stage, worker: WorkerProcess
) -> None:
    run = stage.finished(stage.schedule({"script": "echo plain $0"}))
    assert stage.log(run).startswith("plain")


def test_a_python_function_returns_its_result(
    stage: Stage, worker: WorkerProcess
) -> None:
    task = {"python": "json:loads", "args": ['{"a": [1, null, "ü"]}'], "kwargs": {}}
    run = stage.finished(stage.schedule(task))
    assert run["state"] == "succeeded", stage.log(run)
    assert run["result"] == {"a": [1, None, "ü"]}


def test_a_python_function_that_raises_fails_with_its_traceback(
    stage: Stage, worker: WorkerProcess
) -> None:
    run = stage.finished(stage.schedule({"python": "math:sqrt", "args": [-1]}))
    assert (run["state"], run["exit_code"], run["result"]) == ("failed", 1, None)
    assert "ValueError" in stage.log(run)


def test_a_result_that_is_no_json_is_not_kept_and_said_so(
    stage: Stage, worker: WorkerProcess
) -> None:
    run = stage.finished(stage.schedule({"python": "builtins:object"}))
    assert (run["state"], run["result"]) == ("succeeded", None)
    assert "is no JSON" in stage.log(run)


@pytest.mark.parametrize("letter", [0, 0xD800])
def test_a_result_that_the_service_would_refuse_costs_the_result_alone(
    stage: Stage, worker: WorkerProcess, letter: int
) -> None:
    run = stage.finished(stage.schedule({"python": "builtins:chr", "args": [letter]}))
    assert (run["state"], run["exit_code"], run["result"]) == ("succeeded", 0, None)
    assert run["error"] is None
    assert stage.finished(stage.shell("true"))["state"] == "succeeded"


def test_an_http_task_records_status_and_body(
    stage: Stage, worker: WorkerProcess, service: ServiceProcess
) -> None:
    task = {"http": {"url": f"{service.url}/health/live"}}
    run = stage.finished(stage.schedule(task))
    assert run["state"] == "succeeded", run["error"]
    assert run["result"]["status"] == 200


def test_an_http_task_with_another_status_than_expected_fails(
    stage: Stage, worker: WorkerProcess, service: ServiceProcess
) -> None:
    task = {"http": {"url": f"{service.url}/nothing", "expect_status": "2xx"}}
    run = stage.finished(stage.schedule(task))
    assert (run["state"], run["error"]) == ("failed", "status 404, expected 2xx")
    assert run["result"]["status"] == 404


def test_an_http_task_may_not_reach_the_workers_own_host(
    own_stage: Stage, own_worker: WorkerProcess, service: ServiceProcess
) -> None:
    task = {"http": {"url": f"{service.url}/health/live"}}
    run = own_stage.finished(own_stage.schedule(task))
    assert run["state"] == "failed"
    assert "http_allow" in run["error"]


def test_an_http_task_that_hangs_is_stopped_in_time(
    stage: Stage, worker: WorkerProcess
) -> None:
    asked, done = threading.Event(), threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            done.wait(60)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        task = {"http": {"url": f"http://127.0.0.1:{server.server_port}/"}}
        run = stage.finished(stage.schedule(task, max_runtime="1s", grace="1s"))
        done.set()
        server.shutdown()
        thread.join()
    assert asked.is_set()
    assert (run["state"], run["reason"]) == ("timed_out", "max_runtime")


def test_what_this_worker_can_not_do_is_a_start_that_failed(
    stage: Stage, worker: WorkerProcess
) -> None:
    run = stage.finished(stage.shell("true", sandbox={"network": "host"}))
    assert (run["state"], run["reason"]) == ("failed", "start_failed")
    assert "allow_network_host" in run["error"]


@pytest.mark.parametrize("line", ["kill -SEGV $$", "kill -KILL $$"])
def test_a_signal_is_reported_as_one(
    stage: Stage, worker: WorkerProcess, line: str
) -> None:
    run = stage.finished(stage.shell(line))
    name = "SIG" + line.split()[1][1:]
    assert (run["reason"], run["signal"], run["exit_code"]) == ("signal", name, None)


def test_progress_is_seen_while_the_task_runs(
    stage: Stage, worker: WorkerProcess
) -> None:
    line = """printf '{"percent": 40, "message": "half"}\\n' >&$CRONY_PROGRESS_FD
        read never < /proc/self/fd/9 2>/dev/null; while :; do :; done"""
    schedule = stage.shell(line, grace="1s")
    run = stage.until(schedule, lambda run: run["progress"] is not None)
    assert run["state"] == "running"
    assert (run["progress"]["percent"], run["progress"]["message"]) == (40, "half")
    stage.client.cancel_run(run["id"])
    assert stage.finished(schedule)["state"] == "cancelled"
