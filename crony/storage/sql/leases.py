"""Leases, in SQL: handing out, confirming, renewing, reporting, taking back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from crony.model.lease import (
    Change,
    Closed,
    Closing,
    Confirmed,
    Holding,
    Loss,
    Offer,
    Ready,
    Renewed,
    Revoked,
    Scope,
    Standing,
)
from crony.model.run import Progress, Run
from crony.model.schedule import Definition
from crony.model.state import TERMINAL, RunState
from crony.model.worker import Worker
from crony.storage import rules
from crony.storage.codec import (
    instant_in,
    instant_out,
)
from crony.storage.contract import Leases
from crony.storage.sql import (
    confirming,
    deciding,
    hooks,
    offering,
    overdue,
    preempting,
    rows,
    scoping,
)
from crony.storage.sql import holding as hands
from crony.storage.sql.admission import admit
from crony.storage.sql.dialect import by_index, greatest, in_hands, text
from crony.storage.sql.holding import Endings, Hand, Held, held
from crony.storage.sql.noun import Noun
from crony.storage.sql.workers import worker_by_id

_REPLACED = text("SELECT 1 FROM sessions WHERE worker = :worker AND session = :session")
_REPLACE = text(
    "INSERT INTO sessions (worker, session) VALUES (:worker, :session)"
    " ON CONFLICT (worker, session) DO NOTHING"
)
_BEGIN = text(
    "UPDATE workers SET session = :session, sequence = :sequence,"
    f" seen_at = {greatest('seen_at', ':now')}, lost = 0 WHERE id = :worker"
)
_SEEN = text(
    f"UPDATE workers SET seen_at = {greatest('seen_at', ':now')}, lost = 0"
    " WHERE id = :worker"
)
_PROLONG = text("UPDATE runs SET expires_at = :expires_at WHERE id = :run")
_HELD_BY = text(
    f"SELECT {hands.COLUMNS} FROM runs r WHERE r.worker = :worker"
    f" AND {in_hands('r.')} ORDER BY r.id"
)
_PREEMPTIBLE = text(
    f"SELECT 1 FROM runs {by_index('runs_preemptible')} WHERE preemptible = 1"
    " AND state = 'running' LIMIT 1"
)


class SqlLeases(Noun, Leases):
    """Leases as part of the rows of ``runs``."""

    def begin(
        self, tenant: str, worker: str, *, session: str, sequence: int, now: datetime
    ) -> Worker:
        with self._database.writing(tenant) as connection:
            found = worker_by_id(connection, tenant, worker)
            asked = {"worker": worker, "session": session}
            rules.check_begin(
                found,
                session=session,
                sequence=sequence,
                replaced=bool(connection.execute(_REPLACED, asked).scalar()),
            )
            if found.session is not None and found.session != session:
                connection.execute(
                    _REPLACE, {"worker": worker, "session": found.session}
                )
            seen = max(instant_out(found.seen_at), instant_out(now))
            connection.execute(_BEGIN, {**asked, "sequence": sequence, "now": seen})
            return replace(
                found, session=session, sequence=sequence, seen_at=instant_in(seen)
            )

    def renew(
        self,
        tenant: str,
        worker: str,
        *,
        session: str,
        holding: Sequence[Holding],
        now: datetime,
        lease_ttl: timedelta,
    ) -> tuple[Sequence[Renewed], Sequence[Revoked]]:
        with self._database.writing(tenant) as connection:
            found = worker_by_id(connection, tenant, worker)
            rules.check_stored(found, session=session)
            instant = instant_out(now)
            connection.execute(_SEEN, {"worker": worker, "now": instant})
            hand = Hand(connection, tenant, worker, _pairs(holding))
            renewed, revoked = [], []
            for item in holding:
                run = hand.of_tenant(item.run)
                live = run is not None and run.by(worker, item.token)
                if run is not None and live:
                    end = rows.after(max(instant, run.start_at), lease_ttl)
                    run.expires_at = max(run.expires_at, end)
                    expires = instant_in(run.expires_at)
                    renewed.append(Renewed(item.run, item.token, expires))
                if run is None or not live or run.state is RunState.STOPPING:
                    reason = _cause(run, item, live=live)
                    revoked.append(Revoked(item.run, item.token, reason))
            ends = {r.run: instant_out(r.expires_at) for r in renewed}
            connection.execute_each(
                _PROLONG,
                [{"run": run, "expires_at": end} for run, end in ends.items()],
            )
            return tuple(renewed), tuple(revoked)

    def reclaim(
        self,
        tenant: str,
        worker: str,
        *,
        session: str,
        sequence: int,
        holding: Sequence[Holding],
        now: datetime,
    ) -> tuple[Sequence[Loss], Ready]:
        with self._database.writing(tenant) as connection:
            asking = worker_by_id(connection, tenant, worker)
            rules.check_session(asking, session=session, sequence=sequence)
            named = set(_pairs(holding))
            found = connection.execute(_HELD_BY, {"worker": worker})
            gone = [run for run in map(held, found) if (run.id, run.token) not in named]
            return overdue.take(connection, gone, now=now)

    def lease(
        self,
        tenant: str,
        worker: str,
        *,
        session: str,
        sequence: int,
        slots: int,
        horizon: datetime,
        now: datetime,
        lease_ttl: timedelta,
    ) -> Sequence[Offer]:
        with self._database.writing(tenant) as connection:
            found = worker_by_id(connection, tenant, worker)
            rules.check_session(found, session=session, sequence=sequence)
            return offering.offers(
                connection,
                found,
                slots=slots,
                horizon=horizon,
                now=now,
                lease_ttl=lease_ttl,
            )

    def confirm(
        self,
        tenant: str,
        worker: str,
        items: Sequence[Holding],
        *,
        now: datetime,
        lease_ttl: timedelta,
    ) -> Sequence[Confirmed]:
        with self._database.writing(tenant) as connection:
            return confirming.confirm(
                connection, tenant, worker, items, now=now, lease_ttl=lease_ttl
            )

    def report(
        self, tenant: str, worker: str, items: Sequence[Closing], *, now: datetime
    ) -> tuple[Sequence[Closed], Ready]:
        with self._database.writing(tenant) as connection:
            hand = Hand(connection, tenant, worker, [(i.run, i.token) for i in items])
            endings = Endings(connection, now=now)
            touched: set[str] = set()
            answers = []
            for item in items:
                run = hand.known(item.run, item.token)
                standing = _report_standing(hand, run, item)
                if run is not None and standing is Standing.ACCEPTED:
                    hand.end(run, endings.close(run, item))
                    touched.add(run.schedule)
                state = None if run is None else run.state
                answers.append(Closed(item.run, item.token, standing, state))
            endings.write()
            return tuple(answers), admit(connection, touched, left=endings.left)

    def progress(
        self, tenant: str, worker: str, token: int, entry: Progress
    ) -> Standing:
        with self._database.writing(tenant) as connection:
            hand = Hand(connection, tenant, worker, [(entry.run, token)])
            standing = hand.standing(entry.run, token)
            run = hand.of_tenant(entry.run)
            if run is not None and standing is Standing.ACCEPTED:
                hooks.note(connection, run.schedule, entry)
                hooks.show(connection, entry, now=instant_out(entry.at))
            return standing

    def expire(
        self, *, now: datetime, limit: int, include_leases: bool
    ) -> tuple[Sequence[Loss], Ready]:
        # Most often there is nothing, and then no lock is taken.
        with self._database.reading() as connection:
            tenants = _tenants(
                overdue.overdue(
                    connection, now, limit=limit, include_leases=include_leases
                )
            )
        if not tenants:
            return (), frozenset()
        with self._database.writing(*tenants) as connection:
            gone = overdue.overdue(
                connection, now, limit=limit, include_leases=include_leases
            )
            return overdue.take(connection, _of(gone, tenants), now=now)

    def overlap(self, *, now: datetime, limit: int) -> tuple[Sequence[Change], Ready]:
        with self._database.reading() as connection:
            tenants = _tenants(deciding.undecided(connection, now=now, limit=limit))
        if not tenants:
            return (), frozenset()
        with self._database.writing(*tenants) as connection:
            due = deciding.undecided(connection, now=now, limit=limit)
            return deciding.overlap(connection, _of(due, tenants), now=now)

    def lapse(self, *, now: datetime, limit: int) -> tuple[Sequence[Change], Ready]:
        with self._database.reading() as connection:
            tenants = _tenants(deciding.bounded(connection, now=now, limit=limit))
        if not tenants:
            return (), frozenset()
        with self._database.writing(*tenants) as connection:
            gone = deciding.bounded(connection, now=now, limit=limit)
            return deciding.lapse(connection, _of(gone, tenants), now=now)

    def preempt(self, *, now: datetime, limit: int) -> Sequence[Change]:
        with self._database.snapshot() as connection:
            tenants = _tenants(preempting.waiting(connection, now=now, limit=1))
        if not tenants:
            return ()
        with self._database.writing(*tenants) as connection:
            candidates = preempting.waiting(connection, now=now, limit=limit)
            mine = _of(candidates, tenants)
            return preempting.preempt(connection, mine, now=now, limit=limit)

    def preemptible(self) -> bool:
        with self._database.reading() as connection:
            return connection.execute(_PREEMPTIBLE).first() is not None

    def pulse(self, *, now: datetime, limit: int) -> int:
        with self._database.reading() as connection:
            tenants = _tenants(hooks.due(connection, now=now, limit=limit))
        if not tenants:
            return 0
        with self._database.writing(*tenants) as connection:
            found = _of(hooks.due(connection, now=now, limit=limit), tenants)
            hooks.pulse(connection, found, now=now)
            return len(found)

    def scopes(self, tenant: str, run: str) -> Sequence[Scope]:
        with self._database.snapshot() as connection:
            return scoping.scopes(connection, tenant, run)

    def promote(self, *, horizon: datetime, limit: int) -> Ready:
        with self._database.reading() as connection:
            tenants = _tenants(overdue.waiting(connection, horizon, limit=limit))
        if not tenants:
            return frozenset()
        with self._database.writing(*tenants) as connection:
            runs = overdue.waiting(connection, horizon, limit=limit)
            return overdue.promote(connection, _of(runs, tenants))

    def earliest(self) -> datetime | None:
        with self._database.reading() as connection:
            return overdue.earliest(connection)

    def inputs(
        self, tenant: str, runs: Sequence[str]
    ) -> Mapping[str, tuple[Run, Definition]]:
        with self._database.snapshot() as connection:
            found = rows.plain_runs(connection, runs).values()
            mine = [run for run in found if run.tenant == tenant]
            definitions = offering.definitions(connection, mine)
        return {run.id: (run, definitions[run.schedule, run.revision]) for run in mine}


class _Owned(Protocol):
    """What is a tenant's."""

    @property
    def tenant(self) -> str:
        """The tenant."""


Owned = TypeVar("Owned", bound=_Owned)


def _tenants(found: Iterable[_Owned]) -> frozenset[str]:
    """Return whose things they are: the locks that a verb about all tenants takes."""
    return frozenset(item.tenant for item in found)


def _of(found: Iterable[Owned], tenants: frozenset[str]) -> list[Owned]:
    """Return what is of these tenants; what others have got meanwhile waits."""
    return [item for item in found if item.tenant in tenants]


def _pairs(items: Sequence[Holding]) -> list[tuple[str, int]]:
    return [(item.run, item.token) for item in items]


def _cause(run: Held | None, item: Holding, *, live: bool) -> str:
    """Return why a lease must be given up."""
    if run is None or not (live or run.state in TERMINAL):
        return "lost"
    return rules.cause(run.state, run.reason, newest=run.token == item.token)


def _report_standing(hand: Hand, run: Held | None, item: Closing) -> Standing:
    if run is None:
        return Standing.UNKNOWN
    return rules.report_standing(
        item,
        current=run.token,
        state=run.state,
        was=hand.ended(item.run, item.token),
    )
