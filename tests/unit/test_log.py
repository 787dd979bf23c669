"""Events in the log: their fields, their order, and what is never written."""

import io
import json
import logging
from collections.abc import Iterator
from contextvars import copy_context
from datetime import UTC, datetime, timedelta

import pytest

from crony import log


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


def lines(out: io.StringIO) -> list[str]:
    return out.getvalue().splitlines()


def test_fields_come_in_the_order_that_every_reader_knows() -> None:
    out = io.StringIO()
    log.setup(form="text", stream=out)

    log.get("test").info(
        "run finished",
        state="succeeded",
        duration=timedelta(milliseconds=1250),
        worker="wrk_1",
        attempt=1,
        run="run_1",
        schedule="sch_1",
        tenant="default",
        request="01J",
    )

    (line,) = lines(out)
    stamp, rest = line.split(" ", 1)
    assert stamp.startswith("ts=")
    assert stamp.endswith("Z")
    assert rest == (
        'level=info event="run finished" request=01J tenant=default schedule=sch_1 '
        "run=run_1 attempt=1 worker=wrk_1 duration=1.25s state=succeeded"
    )


def test_instant_is_the_events_own_in_utc() -> None:
    out = io.StringIO()
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    log.setup(form="json", stream=out)
    log.get("test").info("x")

    stamp = datetime.fromisoformat(json.loads(out.getvalue())["ts"])
    assert before <= stamp <= datetime.now(UTC)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "name", ["key", "token", "authorization", "env", "Token", "password", "secret"]
)
def test_secrets_are_never_written(form: str, name: str) -> None:
    out = io.StringIO()
    log.setup(form=form, stream=out)
    with log.bound(**{name: "hush-1"}):
        log.get("test").error("refused", **{name: "hush-2"}, run="run_1")

    assert "hush" not in out.getvalue()
    assert "run_1" in out.getvalue()


def test_value_with_a_line_break_stays_on_its_line_and_in_its_field() -> None:
    out = io.StringIO()
    log.setup(form="text", stream=out)
    log.get("test").info("x", error='a\nlevel=error event="forged"', empty="")

    (line,) = lines(out)
    assert line.endswith(r'error="a\nlevel=error event=\"forged\"" empty=""')


def test_json_has_the_same_names_and_keeps_numbers() -> None:
    out = io.StringIO()
    log.setup(form="json", stream=out)
    log.get("test").warning("slow", attempt=2, late=0.5, ok=True, ids=["a"], none=None)

    event = json.loads(out.getvalue())
    assert list(event) == ["ts", "level", "event", "attempt", "late", "ok", "ids"]
    assert (event["attempt"], event["late"], event["ok"]) == (2, 0.5, True)


def test_bound_fields_end_with_their_block_and_stay_in_their_context() -> None:
    out = io.StringIO()
    log.setup(form="text", stream=out)
    voice = log.get("test")
    with log.bound(request="r1"):
        elsewhere = copy_context()
        with log.bound(tenant="t1"):
            voice.info("inner")
        voice.info("outer", request="r2")
    voice.info("after")
    elsewhere.run(voice.info, "elsewhere")

    inner, outer, after, other = (line.partition("event=")[2] for line in lines(out))
    assert inner == "inner request=r1 tenant=t1"
    assert outer == "outer request=r2"
    assert after == "after"
    assert other == "elsewhere request=r1"


def test_event_below_the_level_is_not_written() -> None:
    out = io.StringIO()
    log.setup(level="warning", form="text", stream=out)
    log.get("test").info("quiet")
    log.get("test").warning("loud")

    assert [line.partition("event=")[2] for line in lines(out)] == ["loud"]


def test_exception_stands_on_the_events_own_line() -> None:
    out = io.StringIO()
    log.setup(form="text", stream=out)
    try:
        raise RuntimeError("broken 100%")
    except RuntimeError:
        log.get("test").exception("round failed at 100%", run="run_1")

    (line,) = lines(out)
    assert 'event="round failed at 100%" run=run_1 exception="Traceback' in line
    assert "RuntimeError: broken 100%" in line


def test_libraries_speak_in_the_same_form() -> None:
    out = io.StringIO()
    log.setup(form="text", stream=out)
    logging.getLogger("library").warning("said %s", "this")
    logging.getLogger("urllib3.connectionpool").info("chatter")

    (line,) = lines(out)
    assert line.endswith('level=warning event="said this"')


def test_terminal_gets_colour_and_nothing_that_moves_its_cursor() -> None:
    out = Terminal()
    log.setup(stream=out)
    log.get("test").warning("odd \x1b[2J name", name="\x1b[2J", run="run_1")

    (line,) = lines(out)
    assert "\x1b[33mwarning\x1b[0m" in line
    assert "\x1b[2J" not in line
    assert line.endswith(r'run=run_1  name="\u001b[2J"')


def test_auto_without_a_terminal_is_key_and_value() -> None:
    out = io.StringIO()
    log.setup(stream=out)
    log.get("test").info("x")
    assert out.getvalue().startswith("ts=")
