"""Reports: what workers say of their runs, alone or in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from crony import errors, wire
from crony.api import problems
from crony.api.answers import Response, encoded, send
from crony.api.bodies import reading
from crony.api.bodies.faults import checked
from crony.api.bodies.worker import (
    MOST_ERROR,
    MOST_FACTS,
    MOST_RESULT,
    BatchItem,
    ReportBody,
    ReportsBody,
)
from crony.api.node import Node
from crony.api.request import KIB, Request
from crony.errors import Fault
from crony.model.lease import Closing, Holding, Standing
from crony.model.state import AttemptState, RunState
from crony.model.task import Json

_RUNNING = "running"
#: How many faults of one item are named: a batch has room for a million.
_MOST_FAULTS = 100

#: A worker, after its tenant.
Reporter = tuple[str, str]


@dataclass(slots=True)
class Said:
    """One report on its way, and what was answered to it."""

    run: str
    body: ReportBody
    standing: Standing = Standing.ACCEPTED
    answer: dict[str, Json] = field(default_factory=dict)

    @property
    def step(self) -> str:
        """Which call of the store its state belongs to."""
        if self.body.state is None:
            return "news"
        return "confirm" if self.body.state == _RUNNING else "end"

    @property
    def holding(self) -> Holding:
        """The run and the token."""
        return Holding(self.run, self.body.token)


class Reports:
    """``PATCH /schedules/{schedule}/runs/{run}`` and ``POST /reports``."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._leasing = node.service.leasing

    async def report(
        self, req: Request, resp: Response, schedule: str, run: str
    ) -> None:
        """``PATCH /schedules/{schedule}/runs/{run}``."""
        raw = await req.object()
        body, faults = checked(ReportBody, raw)
        faults += _beyond(body) if body else []
        if body is None or faults:
            raise errors.InvalidBody(faults)
        said = Said(run, body)
        await self._node.pool.run(self._one, req, schedule, said)
        refusal = _refusal(said)
        if refusal is not None:
            raise refusal
        send(resp, {"run": run, "token": body.token, **said.answer})

    def _one(self, req: Request, schedule: str, said: Said) -> None:
        found = self._node.service.runs.find(req.caller.tenant, said.run)
        if schedule not in (found.schedule, found.schedule_name):
            raise errors.NotFound("run", said.run[:200])
        self._take(_reporter(req), [said])

    async def reports(self, req: Request, resp: Response) -> None:
        """``POST /reports``; an item with faults spoils no other."""
        value, spoilt = await req.json_with_faults()
        made = await self._node.pool.run(self._batch, req, value, spoilt)
        resp.content_type = "application/json"
        resp.data = made

    def _batch(self, req: Request, value: Json, spoilt: Sequence[Fault]) -> bytes:
        """Judge and take each item; all of it on a thread, for there may be much."""
        body, faults = checked(ReportsBody, reading.an_object(value))
        if body is None:
            raise errors.InvalidBody(faults)
        found = [_item(item, n, spoilt) for n, item in enumerate(body.reports)]
        sound = [item for item in found if isinstance(item, Said)]
        self._take(_reporter(req), sound)
        return encoded({"results": [_result(item, req.number) for item in found]})

    def _take(self, reporter: Reporter, items: Sequence[Said]) -> None:
        """Take reports in their order, neighbours of one kind in one call."""
        for item in items:
            item.standing = Standing.ACCEPTED
        for step, group in groupby(items, key=lambda item: item.step):
            together = list(group)
            self._news(reporter, together)
            sound = [item for item in together if not _refused(item)]
            if step == "confirm":
                self._confirm(reporter, sound)
            elif step == "end":
                self._end(reporter, sound)
            else:
                for item in sound:
                    item.answer = _answer(RunState.RUNNING)

    def _news(self, reporter: Reporter, items: Sequence[Said]) -> None:
        """Keep output and progress, which may come with any report."""
        for item in items:
            body = item.body
            says_nothing = body.state is None and body.progress is None
            if body.log or says_nothing:
                # Also what says nothing learns here that its token is old.
                chunks = [chunk.value() for chunk in body.log]
                item.standing = self._leasing.log(
                    *reporter, item.run, body.token, chunks
                )
            if body.progress is not None and not _refused(item):
                item.standing = self._leasing.progress(
                    *reporter,
                    item.run,
                    body.token,
                    percent=body.progress.percent,
                    message=body.progress.message,
                )
            if body.state is not None:
                # The end that comes with it may be a repeat, and says so itself.
                item.standing = Standing.ACCEPTED

    def _confirm(self, reporter: Reporter, items: Sequence[Said]) -> None:
        answers = self._leasing.confirm(*reporter, [item.holding for item in items])
        now = self._node.service.clock.now()
        for item, answer in zip(items, answers, strict=True):
            item.standing = answer.standing
            item.answer = _answer(
                answer.state,
                start_in=_until(answer.start_at, now),
                expires_in=_until(answer.expires_at, now),
            )

    def _end(self, reporter: Reporter, items: Sequence[Said]) -> None:
        now = self._node.service.clock.now()
        closings = [_closing(item, now) for item in items]
        for item, closed in zip(
            items, self._leasing.report(*reporter, closings), strict=True
        ):
            item.standing = closed.standing
            item.answer = _answer(AttemptState(item.body.state or ""))


def _reporter(req: Request) -> Reporter:
    worker = req.caller.key.worker
    if worker is None:
        raise errors.Forbidden("this key belongs to no worker")
    return req.caller.tenant, worker


def _item(value: object, position: int, spoilt: Sequence[Fault]) -> Said | list[Fault]:
    """Return one report of a batch, or its faults."""
    at = f"/reports/{position}"
    own = [f for f in spoilt if f.pointer == at or f.pointer.startswith(at + "/")]
    if own or not isinstance(value, Mapping):
        return own or [Fault(at, "must be an object")]
    body, faults = checked(BatchItem, dict(value), at=at)
    if body is None:
        return faults[:_MOST_FAULTS]
    beyond = _beyond(body, at=at)
    return beyond or Said(body.run, body)


def _beyond(body: ReportBody, *, at: str = "") -> list[Fault]:
    """Return the faults that a single field's bounds can't state."""
    faults: list[Fault] = []
    if body.exit_code is not None and body.signal is not None:
        faults.append(Fault(f"{at}/signal", "must be null beside an exit_code"))
    for name, value, most in (
        ("result", body.result, MOST_RESULT),
        ("limits", body.limits, MOST_FACTS),
        ("usage", body.usage, MOST_FACTS),
    ):
        # Only a size: the parser has bounded what it is.
        if len(str(value).encode("utf-8", "replace")) > 2 * most:
            faults.append(Fault(f"{at}/{name}", f"is larger than {most // KIB} KiB"))
    return faults


def _closing(item: Said, now: datetime) -> Closing:
    body = item.body
    return Closing(
        run=item.run,
        token=body.token,
        state=AttemptState(body.state or ""),
        reason=body.reason,
        exit_code=body.exit_code,
        signal=body.signal,
        error=_clipped(body.error),
        result=_json(body.result),
        lateness=body.lateness,
        duration=body.duration,
        finished_at=now - body.finished,
        sandbox_level=body.sandbox_level,
        limits=_object(body.limits),
        usage=_object(body.usage),
        retry_at=None,
    )


def _clipped(text: str | None) -> str | None:
    """Return at most 4 KiB of an error's text, whole characters."""
    if text is None:
        return None
    return text.encode()[:MOST_ERROR].decode("utf-8", "ignore")


def _json(value: object) -> Json:
    return value  # type: ignore[return-value]  # parsed from JSON


def _object(value: Mapping[str, object] | None) -> Mapping[str, Json] | None:
    return value  # type: ignore[return-value]  # parsed from JSON


def _answer(
    state: RunState | AttemptState | None,
    *,
    start_in: str | None = None,
    expires_in: str | None = None,
) -> dict[str, Json]:
    return {
        "state": None if state is None else state.value,
        "start_in": start_in,
        "expires_in": expires_in,
    }


def _until(instant: datetime | None, now: datetime) -> str | None:
    return None if instant is None else wire.format_duration(instant - now)


def _refused(item: Said) -> bool:
    return item.standing not in (Standing.ACCEPTED, Standing.REPEATED)


def _refusal(item: Said) -> errors.CronyError | None:
    """Return the error that a standing means to a worker."""
    match item.standing:
        case Standing.STALE:
            return errors.StaleToken(
                f"token {item.body.token} of run {item.run} is old: stop, and forget it"
            )
        case Standing.OVER:
            return errors.RunOver(item.run, "stop, and forget it")
        case Standing.UNKNOWN:
            return errors.NotFound("run", item.run[:200])
        case Standing.ACCEPTED | Standing.REPEATED:
            return None


def _result(item: Said | list[Fault], instance: str) -> dict[str, Json]:
    if isinstance(item, Said):
        refusal: errors.CronyError | None = _refusal(item)
        if refusal is None:
            token = item.body.token
            return {"run": item.run, "token": token, "status": 200, **item.answer}
        run: str | None = item.run
    else:
        refusal, run = errors.InvalidBody(item), None
    problem = problems.of(refusal)
    return {
        "run": run,
        "status": problem.kind.status,
        "problem": problem.body(instance=instance),
    }
