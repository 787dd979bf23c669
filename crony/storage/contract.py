"""The storage contract: what every driver does, in one place.

It is long, and one file on purpose: whoever writes a driver reads it from the top to
the end, and no rule of it stands elsewhere.

For all verbs:

- A verb is atomic: it happens whole or not at all, whatever is killed when, and
  what it returned as done is durable. Verbs of any number of threads, processes
  and nodes may interleave.
- ``now`` is the store's time. A driver never reads a clock (``Store.now`` apart),
  never makes ids and never draws randomness. It keeps instants to the
  millisecond, cut, and durations to the microsecond.
- Values are frozen; a driver neither keeps nor hands out an object of the caller's
  that could change.
- "Nothing to do" is a result, not an error. ``errors.StoreUnavailable`` may come
  from every verb when the store does not answer; then the verb has either happened
  or not, and calling it again with the same arguments is harmless.
- Cost grows neither with idle schedules nor with history.
- A verb about things of one tenant names the tenant first, so that a driver whose
  data is spread over machines knows where to look. A thing of another tenant is
  not there. A worker's tenant is that of its key.
- A verb without a tenant is about all of them. "Earliest first", "oldest first" and
  "in the order of leasing" hold within each tenant then, and ``limit`` over all.

**Admission.** At most ``max_concurrent`` (of the resolved policy, given with the
schedule as ``limit``) runs of a schedule are *admitted* at a time: those leased,
running or stopping, then those that wait for their retry, then the other pending
ones in the order (due_at, id). So a run that is due earlier goes first also when it
came later, until the other is leased. Only an admitted run can be leased. Every
verb that ends, withdraws or adds a run admits what follows, in the same step;
raising a limit admits more, lowering it takes admission from runs not leased,
latest first. A hook's runs (origin ``hook``) are always admitted and count towards no
limit: a progress hook runs beside the run it belongs to.

**Limits of groups and tenants** bound how many runs of a group, or of a tenant, are
leased, running or stopping at once. ``lease`` alone makes that number grow, and looks
at it in the same step; a run counts for the group it was made in. Where a verb frees
such a place, the lines of the runs that waited for it (admitted, and with a place in
both only now) are told as ``Ready``.

**Leasable** is a run that is pending and admitted, with ``available_at`` at or
before the horizon, not reserved for another worker, whose group and tenant have a
place, and whose tenant is not held. The order of leasing is: runs available by now
before those that are offered ahead (which would else hold every slot of an idle
worker), priority (high first), turn (``rules.turn``), runs due on time before those
that catch up, ``due_at``, id.
A turn is the deadline, or an hour after ``due_at`` where that is earlier; of a run that
catches up a day after it was made. What is due from then on comes after it, so that
within one priority nothing waits for ever.

**Overlap.** A run with ``overlap`` (``skip`` or ``replace``) is decided on once, at
its ``due_at``, by ``overlap``, if it was not confirmed before that. In its way stand
the schedule's unfinished runs that come before it in (due_at, id), save those of
origins ``backfill`` and ``hook``.

**Deadlines.** A run that is pending, or leased and not confirmed, at its
``deadline_at`` is ``expired``, reason ``deadline``; ``confirm`` refuses it from then
on (``over``), and no retry is given that would start later. What runs by then is
stopped by its worker.

**Hooks owed.** In the step in which an attempt ends, a ``FollowUp`` is left where the
run's ``hooks`` has the kind: ``error`` for an attempt that failed or timed out and for
a run that fails because its last attempt was lost, ``success`` for a run that
succeeded. It stays until ``followed``.

**Events.** Every change of a run's state leaves an event ``run.<state>`` in the same
step, with the run as it is then; one that ends an attempt as lost or preempted leaves
``run.lost`` or ``run.preempted`` before it. A run that is stored in a state leaves the
event of that state. An accepted progress, and what a hook says of a run that is not
over, leave ``run.progress``. Schedules leave
``schedule.created``; ``schedule.paused`` or ``.resumed`` where an update changes
``Schedule.paused``, else ``schedule.updated`` where it changes the revision;
``schedule.finished`` when the cursor becomes ``None``; ``schedule.deleted``. Workers
leave ``worker.registered``, ``.draining``, ``.lost``, ``.deleted``. ``at`` is the
verb's ``now``.

``Ready`` values name the lines (tenant, queue) of the runs that a verb made pending
and admitted, now or for later, so that waiting workers can be told.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from crony import errors
from crony.model.event import Event
from crony.model.group import Group, Profile, ProfileUse
from crony.model.hook import FollowUp
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
from crony.model.moving import MovedRun, MovedSchedule, Pruned
from crony.model.run import ErrorEntry, LogChunk, Progress, Run
from crony.model.schedule import Definition, Schedule, Version
from crony.model.state import Origin, RunState, ScheduleState
from crony.model.webhook import Delivery, Webhook
from crony.model.worker import Key, Tenant, Usage, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleQuery:
    """Which schedules to list; ``None`` does not restrict.

    ``text`` is looked for in names, without regard to case. ``failing`` is true of
    a schedule whose newest ended run (of those that executed, hooks' runs apart) did
    not succeed.
    ``sort`` is ``name``, ``next_run_at`` or ``created_at``; what has none comes
    last; ties are broken by id.
    """

    group: str | None = None
    queue: str | None = None
    label: tuple[str, str] | None = None
    state: ScheduleState | None = None
    trigger: str | None = None
    text: str | None = None
    failing: bool | None = None
    sort: str = "created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """Which runs to list, newest ``scheduled_for`` first, ties by id descending.

    ``oldest_first`` turns the order round. ``since`` is inclusive, ``until``
    exclusive, both of ``scheduled_for``. ``worker`` is that of the newest attempt,
    live or ended.
    """

    schedule: str | None = None
    group: str | None = None
    origin: Origin | None = None
    parent: str | None = None
    oldest_first: bool = False
    states: frozenset[RunState] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    worker: str | None = None


#: How long news may be.
NEWS_BYTES = 4096

#: Where a list goes on: the sort value of the last item seen, and its id.
Position = tuple[str | int | None, str]


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list, and where it goes on; ``None`` at the end."""

    items: tuple[Item, ...]
    next: Position | None


@dataclass(frozen=True, slots=True)
class Creation:
    """A schedule, with its limit: to be stored so, or to be limited so."""

    schedule: Schedule
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialisation:
    """Occurrences of one schedule that become runs, and the cursor after them.

    It counts only where the schedule is active at ``revision`` with its cursor at
    ``cursor``. ``next_cursor`` ``None`` finishes the schedule. ``limit`` is the
    schedule's from now on (``None``: it stays): its policy may have changed with its
    group or profile.
    """

    schedule: str
    tenant: str
    revision: int
    cursor: datetime
    next_cursor: datetime | None
    runs: tuple[Run, ...]
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """One queue of a tenant; ``slots`` are those of workers that serve it."""

    queue: str
    pending: int
    leased: int
    running: int
    oldest_due: datetime | None
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What is stored, by state. ``oldest_due`` is of pending runs due by now."""

    schedules: Mapping[ScheduleState, int]
    pending: int
    leased: int
    running: int
    oldest_due: datetime | None
    slots: int
    slots_used: int
    queues: tuple[QueueStats, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """In what drivers differ: what one may do with a store, and what it promises.

    The suite looks here, never at a driver's name.
    """

    #: What it keeps outlives its process.
    durable: bool
    #: Other processes may open it at the same time.
    shared: bool
    #: Processes of other hosts may.
    remote: bool
    #: ``tell`` reaches the listeners of other processes.
    notifies: bool
    #: No failover of the store to another machine ever hands a token out again.
    keeps_tokens: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is kept for an idempotency key.

    ``resource`` is the id that the first request was given to create its resource
    under: a repeat after a crash creates the same one. ``status`` and ``body`` are
    ``None`` until the first request was answered.
    """

    resource: str
    digest: str
    claimed_at: datetime
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """What has a say in how the schedules of a tenant run, by name."""

    tenant: Tenant | None
    groups: Mapping[str, Group]
    profiles: Mapping[str, Profile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What has become of one schedule so far, newest first."""

    runs: Sequence[Run] = ()
    errors: Sequence[ErrorEntry] = ()
    progress: Sequence[Progress] = ()


class Schedules(ABC):
    """Schedules and the revisions of their definitions."""

    @abstractmethod
    def create(self, schedule: Schedule, *, limit: int, quota: int | None) -> bool:
        """Store a new schedule, and its definition as revision 1.

        Returns whether it was stored: ``False`` when this very id was ever used
        (a repeat). Raises ``NameTaken`` (with the holder's id) when another
        schedule of the tenant has the name, ``QuotaExceeded`` when the tenant has
        ``quota`` schedules, ``NotFound`` for a group or profile that is not there,
        ``Contended`` when ``held`` is not what its group's ``paused`` is.
        """

    @abstractmethod
    def create_all(
        self, batch: Sequence[Creation], *, quota: int | None
    ) -> Sequence[bool | errors.CronyError]:
        """Store new schedules; one result for each, in order.

        Each is atomic by itself and counts as in ``create``, after those before it;
        the batch may be one step. Where ``create`` would raise ``NameTaken``,
        ``QuotaExceeded``, ``NotFound`` or ``Contended``, that error is the result,
        and the others are stored all the same.
        """

    @abstractmethod
    def find(self, tenant: str, reference: str) -> Schedule | None:
        """Return the tenant's schedule of that id or name."""

    @abstractmethod
    def named(self, tenant: str, names: Collection[str]) -> Mapping[str, Schedule]:
        """Return the tenant's schedules of these names, by name."""

    @abstractmethod
    def page(
        self, tenant: str, query: ScheduleQuery, *, limit: int, after: Position | None
    ) -> Page[Schedule]:
        """Return the schedules that match, in the order of the query."""

    @abstractmethod
    def definition(
        self, tenant: str, schedule: str, revision: int
    ) -> Definition | None:
        """Return one revision of a definition, also of a deleted schedule."""

    @abstractmethod
    def update(
        self,
        schedule: Schedule,
        *,
        limit: int,
        expected: Schedule,
        settled: Sequence[Run],
        now: datetime,
    ) -> tuple[bool, Ready]:
        """Replace a schedule by its next revision.

        Counts only while the stored revision and cursor are those of
        ``expected``; else ``(False, …)`` and nothing changed. ``now`` is the instant
        from which on the new version holds. Where the definition stays, the revision
        may: then the cursor alone is worked out anew. In the same step:

        - ``settled`` (occurrences up to ``now`` under the old revision) are
          inserted as ``materialise`` inserts;
        - pending and leased runs of origin ``schedule`` with ``scheduled_for``
          after ``now`` become ``withdrawn``, their tokens kept, and no longer
          count in ``occurrences`` (that of ``schedule`` is ignored: the store
          keeps its own count);
        - runs whose state this changes are admitted anew under ``limit``;
        - where revision, ``held`` or ``rules`` change, a ``Version`` is kept, from
          ``now`` on.

        Raises ``NameTaken``, and ``NotFound`` and ``Contended`` as ``create``.
        """

    @abstractmethod
    def versions(
        self, tenant: str, schedule: str, *, until: datetime | None, limit: int
    ) -> Sequence[Version]:
        """Return what was due under which version, newest first, also of a deleted
        schedule.

        With ``until``, those that began before it. The first begins a millisecond
        before the schedule's ``created_at``. At least the versions that were in
        force after ``Pruned.until`` are kept.
        """

    @abstractmethod
    def in_group(
        self, tenant: str, group: str, *, held: bool, limit: int
    ) -> Sequence[Schedule]:
        """Return schedules of a group that are held, or are not, by id."""

    @abstractmethod
    def ahead(
        self, tenant: str, *, now: datetime, limit: int, after: str | None
    ) -> Sequence[str]:
        """Return ids of schedules with runs of origin ``schedule`` that are pending
        or leased and whose ``scheduled_for`` is after ``now``, by id."""

    @abstractmethod
    def unfinished(
        self, tenant: str, *, limit: int, after: str | None
    ) -> Sequence[Schedule]:
        """Return schedules with unfinished runs, hooks' runs apart, by id."""

    @abstractmethod
    def limit(self, batch: Sequence[Creation]) -> Ready:
        """Give schedules their limits, and admit anew those where it is another one.

        Each counts only while the stored revision is that of its schedule: who
        writes a later one knows the limit of that. Nothing else of it is written.
        """

    @abstractmethod
    def delete(
        self,
        expected: Schedule,
        *,
        settled: Sequence[Run],
        cancel_running: bool,
        now: datetime,
    ) -> tuple[bool, Sequence[Run], Ready]:
        """Remove a schedule; its id is never used again, its history stays.

        Counts as ``update`` does. ``settled`` is inserted first; then every
        pending or leased run is ``cancelled``, reason ``deleted``, and with
        ``cancel_running`` every running one is ``stopping``, reason ``deleted``.
        A withdrawn one stays so: its occurrence is not due, or stands in another
        record. From now on a run of the schedule that would be pending again after
        an attempt (a retry, a loss, a preemption) ends instead: as ``failed`` or
        ``timed_out`` after such a report, else ``cancelled``, reason ``deleted``.

        Returns also the runs that were leased, running or stopping before, as
        they were (their workers want to know).
        """

    @abstractmethod
    def due(self, horizon: datetime, *, limit: int) -> Sequence[Schedule]:
        """Return active schedules with ``cursor`` at or before ``horizon``, earliest
        cursor first, of all tenants that are not held."""

    @abstractmethod
    def earliest(self) -> datetime | None:
        """Return the earliest cursor of all schedules that ``due`` would return."""

    @abstractmethod
    def walk(
        self, *, limit: int, after: Position | None
    ) -> tuple[Sequence[Schedule], Position | None]:
        """Return schedules of all tenants that have a cursor, by (tenant, id), piece
        by piece.

        A piece looks at ``limit`` ids above ``after``, of dead schedules too, so that
        it may hold fewer. With it comes the last (tenant, id) that was looked at,
        from which to go on, or ``None`` at the end.
        """

    @abstractmethod
    def materialise(
        self, batch: Sequence[Materialisation], *, now: datetime
    ) -> tuple[Sequence[bool], Ready]:
        """Insert runs and move cursors; one result for each, in order.

        Each item is atomic by itself and counts by its own condition; the batch
        may be one step. A run whose id exists is left as it is, unless it is
        ``withdrawn``: then it is taken back to the given state under the given
        revision, and its token, attempt and counters go on. ``occurrences`` grows
        by the ``range_count`` of every run inserted or taken back. A run may
        arrive in a terminal state (``missed``, ``skipped``).
        """


class Runs(ABC):
    """Runs, their attempts, and what people see of them."""

    @abstractmethod
    def insert(
        self, run: Run, *, quota: int | None
    ) -> tuple[bool, Ready, frozenset[str]]:
        """Store a run that no occurrence made; ``False`` when the id exists.

        Where runs in workers' hands take all of the schedule's ``limit``, and one
        of them is an offer that starts more than ``policy.CONFIRM_AHEAD`` after
        this run is available, the latest such offer gives way: it is pending
        again, as if it had not been confirmed. Returns also the worker that had
        it, to be told. The same holds for the limits of its group and tenant.

        Raises ``QuotaExceeded`` when the tenant has ``quota`` pending runs,
        ``NotFound`` when its schedule is gone.
        """

    @abstractmethod
    def backfill(self, runs: Sequence[Run], *, quota: int | None) -> tuple[int, Ready]:
        """Store many runs of one schedule that no occurrence made, all or none.

        Those whose id exists are left as they are. Returns how many were new.
        Raises as ``insert``; the quota counts the new ones too.
        """

    @abstractmethod
    def standing_at(self, tenant: str, schedule: str, instant: datetime) -> Run | None:
        """Return the newest record of origin ``schedule``, withdrawn ones apart,
        whose ``scheduled_for`` is at or before the instant, as a summary.

        Where its ``range_until`` is at or after the instant, it stands for it.
        """

    @abstractmethod
    def follow_ups(self, *, limit: int) -> Sequence[FollowUp]:
        """Return hooks that are owed, oldest first."""

    @abstractmethod
    def followed(self, items: Sequence[FollowUp]) -> None:
        """Forget hooks that are runs now; those that are not there are left out."""

    @abstractmethod
    def prune(
        self,
        tenant: str,
        schedule: str,
        *,
        keep: int,
        before: datetime,
        now: datetime,
        limit: int,
    ) -> int:
        """Remove ended runs of a schedule that nobody has to answer for any more.

        At most ``limit``, in the order (finished_at, id): those beyond the newest
        ``keep`` ended ones, and those that ended before ``before``; with their
        attempts and output. A hook's run is not among those, and takes no place of
        theirs: those of a run go right before it, by (scheduled_for, id), and no
        earlier; one whose parent is gone goes where another that ended then would.
        Left alone are runs whose ``scheduled_for`` is after ``now``, runs that an
        unfinished run names as its parent, and runs that owe a follow-up. What is
        removed is added to ``pruned``. After them go, uncounted, withdrawn ones that
        will not be due again, by (scheduled_for, id): of a deleted schedule all, else
        those whose ``scheduled_for`` is before ``before`` and before the cursor, if
        there is one. With the last run of a
        deleted schedule its definitions and versions go too; its id stays used.
        Returns how many were removed.
        """

    @abstractmethod
    def pruned(self, tenant: str, schedule: str) -> Pruned | None:
        """Return what is left of the runs that were pruned, if any were."""

    @abstractmethod
    def prunable(
        self, *, limit: int, after: Position | None
    ) -> tuple[Sequence[tuple[str, str, Schedule | None]], Position | None]:
        """Return schedules that have runs, and deleted ones that have definitions:
        (tenant, id, the schedule, or ``None`` where it is deleted), by (tenant, id).

        Piece by piece, as ``Schedules.walk``.
        """

    @abstractmethod
    def find(self, tenant: str, run: str) -> Run | None:
        """Return the tenant's run with its attempts."""

    @abstractmethod
    def page(
        self, tenant: str, query: RunQuery, *, limit: int, after: Position | None
    ) -> Page[Run]:
        """Return summaries (without attempts and result)."""

    @abstractmethod
    def recent(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Run]]:
        """Return the newest runs of each schedule, as summaries, newest first.

        Newest is by ``scheduled_for``; a run that is not due yet (pending or
        leased, ``started_at`` unset, ahead of its instant) counts like any other,
        withdrawn ones and hooks' runs are left out.
        """

    @abstractmethod
    def errors(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[ErrorEntry]]:
        """Return the newest failed, timed-out and lost attempts, newest first.

        Source is ``worker`` for ``lost`` and ``start_failed``, else ``task``. Of
        hooks' runs, failed attempts have the source ``hook``, and so has what an
        error hook said (``Closing.says``), however it ended; their ``run`` and
        ``attempt`` are those that the hook followed.
        """

    @abstractmethod
    def progress(
        self, tenant: str, schedules: Sequence[str], *, limit: int
    ) -> Mapping[str, Sequence[Progress]]:
        """Return the newest progress entries, newest first; 20 are kept."""

    @abstractmethod
    def live(
        self, tenant: str, schedules: Sequence[str], *, runs: int, entries: int
    ) -> Mapping[str, Live]:
        """Return what ``recent`` (``runs`` of each), ``errors`` and ``progress``
        (``entries`` of each) return, each as it is at some time of the call; of
        schedules of which there is anything."""

    @abstractmethod
    def cancel(self, tenant: str, run: str, *, now: datetime) -> tuple[Run, Ready]:
        """Stop a run; return it as it is afterwards.

        Pending and leased: ``cancelled``, reason ``user``. Running, and stopping for
        reason ``preempted``: ``stopping``, reason ``user``. Otherwise stopping:
        unchanged. Raises ``RunOver`` when its state is terminal or withdrawn,
        ``NotFound``.
        """


class Leases(ABC):
    """Who may execute what, and for how long.

    ``worker`` is always the id of the worker whose key the request carried.
    """

    @abstractmethod
    def begin(
        self, tenant: str, worker: str, *, session: str, sequence: int, now: datetime
    ) -> Worker:
        """Open a poll: record session, sequence and ``seen_at``.

        A session other than the stored one, that was never the stored one before,
        replaces it, save one that began before it (``rules.began_before``). Raises
        ``StaleToken`` for a session that was replaced or began before the stored one,
        and for a sequence not above the stored one of the same session; ``NotFound``
        when the worker is gone.
        """

    @abstractmethod
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
        """Prolong the leases named by run *and* token; record ``seen_at``.

        Eligible: leased, running or stopping by this worker under this token. The
        new end is one lease time after the later of ``now`` and the instant the
        attempt starts at; it never moves back. All others, and those stopping, are
        answered as revoked: stopping with its cause (``cancelled`` for reason
        ``user``, else the run's reason), what was cancelled with its schedule
        ``deleted``, by a person ``cancelled``, everything else ``lost``. A
        stopping run is renewed as well. Raises ``StaleToken`` for a session that
        is not the stored one (a worker that never polled has none: then any),
        ``NotFound``.
        """

    @abstractmethod
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
        """Take back what this worker was given and does not hold.

        Eligible: leased, running or stopping by this worker, with (run, token) not
        in ``holding``. Leased goes back to pending; running and stopping end as a
        lost attempt (``policy.after_loss``), and these alone are told as losses: an
        offer is no attempt yet. Raises ``StaleToken`` unless session and sequence
        are the stored ones.
        """

    @abstractmethod
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
        """Give the worker up to ``slots`` leasable runs of its tenant.

        Eligible: leasable by ``horizon``, of the worker's queues, every label that
        the run's definition requires present on the worker with that value, and
        the sandbox level the definition asks for not above the worker's. In the
        order of leasing. Each gets the next token and an attempt number,
        ``start_at`` = the later of ``available_at`` and ``now``, ``expires_at`` =
        ``start_at + lease_ttl``. Nothing for a draining worker, and nothing of a
        tenant that is held. Of the runs
        in its hands at most half of its ``slots``, and at least one, are catch-up
        (``Run.catch_up``), so that a backlog leaves room for what is due. A
        reservation (``preempt``) is over when it is taken. Raises
        ``StaleToken`` unless session and sequence are the stored ones,
        ``NotFound``.
        """

    @abstractmethod
    def confirm(
        self,
        tenant: str,
        worker: str,
        items: Sequence[Holding],
        *,
        now: datetime,
        lease_ttl: timedelta,
    ) -> Sequence[Confirmed]:
        """Turn offers into running attempts; one answer each, in order.

        Accepted: leased by this worker under this token; the run is ``running``,
        the lease ends one lease time after the later of ``now`` and ``start_at``.
        Repeated: already running under it. Stale: the token is old, or the run is
        pending or withdrawn. Over: terminal or stopping. Unknown: no such run in
        the worker's tenant, or this worker never had that token of it.
        """

    @abstractmethod
    def report(
        self, tenant: str, worker: str, items: Sequence[Closing], *, now: datetime
    ) -> tuple[Sequence[Closed], Ready]:
        """End attempts; one answer each, in order.

        Accepted: leased (for ``failed`` only: the start failed), running or
        stopping by this worker under this token; the attempt is closed, and the
        run follows ``policy.after_report``; one that was being stopped and is reported
        ``cancelled`` without a reason keeps its own; one that was being stopped for
        reason ``preempted`` and is reported ``cancelled`` counts as ``preempted``, and
        one that ended otherwise meanwhile, or was lost, as if it had been running.
        What a hook ``says`` is kept: of an error hook for ``errors``, of the others
        as a progress entry of its schedule (what ``spoken.of_text`` makes of it;
        source ``hook``, of the run and attempt it follows), and as the newest of its
        parent while that is not over.
        Repeated: this attempt was closed
        by the same state before, whatever the run did since. Others as in ``confirm``;
        an attempt that was counted lost is stale.
        """

    @abstractmethod
    def progress(
        self, tenant: str, worker: str, token: int, entry: Progress
    ) -> Standing:
        """Record how far an attempt is; fenced like ``report``."""

    @abstractmethod
    def expire(
        self, *, now: datetime, limit: int, include_leases: bool
    ) -> tuple[Sequence[Loss], Ready]:
        """Take back what was not confirmed, and what was not renewed.

        Offers whose ``start_at`` is ``policy.CONFIRM_GRACE`` or more ago become
        pending. With ``include_leases`` (false while a node's clock is unsettled)
        running and stopping attempts whose lease is over end as lost
        (``policy.after_loss``). At most ``limit`` of each, earliest first. Losses
        name the attempts alone, not the offers.
        """

    @abstractmethod
    def overlap(self, *, now: datetime, limit: int) -> tuple[Sequence[Change], Ready]:
        """Decide on pending runs with ``overlap`` whose ``due_at`` has come.

        In the order (due_at, id), at most ``limit``. Where fewer runs stand in the
        way than the schedule's ``limit``, nothing else happens. Else ``skip``: the
        run is ``skipped``, reason ``overlap``. ``replace``: the runs in the way are
        stopped, oldest first, until fewer than the limit are left: pending and
        leased ones are ``cancelled``, running ones, and those stopping for reason
        ``preempted``, ``stopping``, all for reason ``replaced``; one that is stopping
        otherwise is counted as stopped. Returns every run that changed.
        """

    @abstractmethod
    def lapse(self, *, now: datetime, limit: int) -> tuple[Sequence[Change], Ready]:
        """Expire runs whose ``deadline_at`` has come: see *Deadlines*."""

    @abstractmethod
    def preempt(self, *, now: datetime, limit: int) -> Sequence[Change]:
        """Stop preemptible runs for pending ones of higher priority.

        For a leasable run, a hook's apart (it stops nobody's work), that has been
        available for ``policy.PREEMPT_AFTER`` or more and is not reserved, when no
        worker that may execute it (those draining or noted as lost apart) has a slot
        without a lease: the run of lowest priority, below its own, that is ``running``
        and preemptible on such a worker, the newest started first, becomes
        ``stopping``, reason ``preempted``, and the pending run is reserved for that
        worker until the victim's lease would be over. For a run that catches up the
        victim catches up as well, or its worker may have one more of those (``lease``),
        those reserved for it in this step counted: else it could not take it. Also
        where the group's or
        tenant's limit is what keeps it, free slots or not: then the victim, on such a
        worker, is of the same group or tenant. In the order of leasing, at most
        ``limit`` victims, which are returned.
        """

    @abstractmethod
    def preemptible(self) -> bool:
        """Return whether a preemptible run is ``running``, so that ``preempt`` may
        have something to do at any time."""

    @abstractmethod
    def pulse(self, *, now: datetime, limit: int) -> int:
        """Leave a follow-up for each running run whose progress hook has come due.

        It is due ``hook_interval`` after the attempt's start, and again after each;
        those that were slept over are left out. Returns how many were left.
        """

    @abstractmethod
    def scopes(self, tenant: str, run: str) -> Sequence[Scope]:
        """Return the limits that hold for a run, and how they are taken up."""

    @abstractmethod
    def promote(self, *, horizon: datetime, limit: int) -> Ready:
        """Make waiting runs with ``available_at`` at or before ``horizon`` leasable.

        At most ``limit``, earliest first, and each once; the lines of those that
        are not admitted are left out.
        """

    @abstractmethod
    def earliest(self) -> datetime | None:
        """Return the earliest instant at which ``expire``, ``overlap``, ``lapse`` or
        ``pulse`` has something to do, or a waiting run becomes available."""

    @abstractmethod
    def inputs(
        self, tenant: str, runs: Sequence[str]
    ) -> Mapping[str, tuple[Run, Definition]]:
        """Return runs (without attempts) with the definitions they execute."""


class Logs(ABC):
    """The output of attempts: bounded, the first and the newest part kept."""

    @abstractmethod
    def append(
        self,
        tenant: str,
        worker: str,
        run: str,
        token: int,
        chunks: Sequence[LogChunk],
        *,
        head: int,
        bound: int,
    ) -> Standing:
        """Add output of the attempt that has this token.

        Accepted until the attempt is closed. A chunk at or before what the stream
        has is a repeat and ignored; one that overlaps is cut. Of the attempt at
        most ``bound`` bytes are kept, over both streams: the first ``head``, and
        the newest; between them whole chunks are dropped, and counted.
        """

    @abstractmethod
    def read(
        self, tenant: str, run: str, *, attempt: int, after: int
    ) -> tuple[Sequence[LogChunk], bool]:
        """Return the chunks kept with a sequence above ``after``, in order, and
        whether the attempt is closed (no more will come)."""


class Workers(ABC):
    """Registered workers."""

    @abstractmethod
    def register(self, worker: Worker, key: Key, *, quota: int | None) -> Worker:
        """Store a worker with its key; return it as stored.

        The same tenant, name and machine again: the stored worker keeps its id,
        ``registered_at``, session and sequence, takes the other fields, is no
        longer draining, and its older keys stop working. Raises ``NameTaken`` when
        the name is that of another machine, ``QuotaExceeded``.
        """

    @abstractmethod
    def find(self, tenant: str, reference: str) -> Worker | None:
        """Return the tenant's worker of that id or name."""

    @abstractmethod
    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Worker]:
        """Return workers by name."""

    @abstractmethod
    def running(
        self, tenant: str, workers: Sequence[str]
    ) -> Mapping[str, Sequence[str]]:
        """Return the ids of the runs each worker has leased, running or stopping."""

    @abstractmethod
    def drain(self, tenant: str, worker: str, *, now: datetime) -> Worker | None:
        """Give the worker nothing new from now on."""

    @abstractmethod
    def delete(self, tenant: str, worker: str, *, now: datetime) -> bool:
        """Remove the worker and its keys; its leases run out by themselves."""

    @abstractmethod
    def lose(self, *, before: datetime, limit: int, now: datetime) -> Sequence[Worker]:
        """Note that workers were not seen since, each once until it is seen again.

        Returns those that are lost only now.
        """

    @abstractmethod
    def satisfying(
        self, tenant: str, *, queue: str, requires: Mapping[str, str]
    ) -> bool:
        """Return whether any registered worker serves the queue with the labels."""


class Keys(ABC):
    """API keys, by the digest of their secret."""

    @abstractmethod
    def insert(self, key: Key) -> bool:
        """Store a key; ``False`` when its id exists."""

    @abstractmethod
    def by_digest(self, digest: str) -> Key | None:
        """Return the key whose secret has this digest, expired or not."""

    @abstractmethod
    def find(self, tenant: str, key: str) -> Key | None:
        """Return the tenant's key of that id."""

    @abstractmethod
    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Key]:
        """Return keys, oldest first; those of workers are left out."""

    @abstractmethod
    def touch(self, tenant: str, used: Mapping[str, datetime]) -> None:
        """Record when keys were used, by their ids; that never moves back."""

    @abstractmethod
    def delete(self, tenant: str, key: str) -> bool:
        """Make a key stop working."""


class Tenants(ABC):
    """Tenants; ``default`` always exists."""

    @abstractmethod
    def find(self, tenant: str) -> Tenant | None:
        """Return a tenant."""

    @abstractmethod
    def page(self, *, limit: int, after: Position | None) -> Page[Tenant]:
        """Return tenants by name."""

    @abstractmethod
    def put(self, tenant: Tenant, *, expected: int | None) -> tuple[bool, Ready]:
        """Create (``expected`` is ``None``: only if absent) or replace a tenant of
        that revision; return whether it counted, and the lines of runs that a
        higher limit, or the end of ``held``, lets go.

        Raises ``NotFound`` for a profile that is not there.
        """

    @abstractmethod
    def delete(self, tenant: str, *, expected: int) -> bool:
        """Remove a tenant; raises ``InUse`` while it has schedules, workers or
        runs that are not over, and always for ``default``. Its keys go with it, and
        so does its history: a later tenant of the name sees nothing of it."""

    @abstractmethod
    def levels(
        self, tenant: str, *, groups: Collection[str], profiles: Collection[str]
    ) -> Levels:
        """Return a tenant, those of the groups and profiles that there are, and the
        profiles that the tenant and these groups refer to."""

    @abstractmethod
    def usage(self, tenant: str) -> Usage:
        """Return how much of its quotas a tenant uses."""


class Groups(ABC):
    """Groups; every tenant has one named ``default`` for as long as it exists."""

    @abstractmethod
    def find(self, tenant: str, name: str) -> Group | None:
        """Return a group."""

    @abstractmethod
    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Group]:
        """Return groups by name."""

    @abstractmethod
    def put(self, group: Group, *, expected: int | None) -> tuple[bool, Ready]:
        """Create (``expected`` is ``None``: only if absent) or replace a group of
        that revision; return whether it counted, and the lines of runs that a
        higher limit lets go.

        Raises ``NotFound`` for a profile that is not there.
        """

    @abstractmethod
    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        """Remove a group; raises ``InUse`` while it has schedules, and for
        ``default``."""

    @abstractmethod
    def schedules(self, tenant: str, names: Sequence[str]) -> Mapping[str, int]:
        """Return how many schedules each group has."""

    @abstractmethod
    def uncarried(self, *, limit: int) -> Sequence[Group]:
        """Return groups of all tenants whose pause or resume is not carried over."""

    @abstractmethod
    def carried(self, group: Group) -> bool:
        """Note that this revision's pause or resume is carried over; return whether
        it counted: only while the revision is stored and no schedule of the group
        lags behind."""


class Profiles(ABC):
    """Profiles."""

    @abstractmethod
    def find(self, tenant: str, name: str) -> Profile | None:
        """Return a profile."""

    @abstractmethod
    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Profile]:
        """Return profiles by name."""

    @abstractmethod
    def put(self, profile: Profile, *, expected: int | None) -> bool:
        """Create (``expected`` is ``None``: only if absent) or replace a profile of
        that revision; return whether it counted."""

    @abstractmethod
    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        """Remove a profile; raises ``InUse``, naming who refers to it."""

    @abstractmethod
    def uses(self, tenant: str, names: Sequence[str]) -> Mapping[str, ProfileUse]:
        """Return how many refer to each."""


class Events(ABC):
    """What happened, in the order in which it became visible."""

    @abstractmethod
    def page(
        self,
        tenant: str,
        *,
        after: int,
        limit: int,
        types: frozenset[str] = frozenset(),
        schedule: str | None = None,
    ) -> Sequence[Event]:
        """Return events of a tenant with a sequence above ``after``, in order.

        ``types`` restricts them (empty: all; ``run.*`` is all of runs). No event
        that becomes visible later has a lower sequence than one that was returned.
        """

    @abstractmethod
    def bounds(self, tenant: str) -> tuple[int, int]:
        """Return the sequence of the newest event of a tenant that was pruned, and
        of its newest event that ``page`` would return; 0 where there is none."""

    @abstractmethod
    def prune(self, *, before: datetime, limit: int) -> int:
        """Forget at most ``limit`` events older than that, oldest first; return how
        many."""


class Webhooks(ABC):
    """Webhooks, and deliveries to them."""

    @abstractmethod
    def find(self, tenant: str, name: str) -> Webhook | None:
        """Return a webhook."""

    @abstractmethod
    def page(self, tenant: str, *, limit: int, after: Position | None) -> Page[Webhook]:
        """Return webhooks by name."""

    @abstractmethod
    def put(self, webhook: Webhook, *, expected: int | None) -> bool:
        """Create (``expected`` is ``None``: only if absent) or replace a webhook of
        that revision; return whether it counted. A replaced one keeps the stored
        position."""

    @abstractmethod
    def delete(self, tenant: str, name: str, *, expected: int) -> bool:
        """Remove a webhook and its deliveries."""

    @abstractmethod
    def walk(self, *, limit: int, after: Position | None) -> Page[Webhook]:
        """Return webhooks of all tenants that are not paused, by (tenant, name)."""

    @abstractmethod
    def advance(
        self,
        webhook: Webhook,
        *,
        position: int,
        deliveries: Sequence[Delivery],
        most: int,
    ) -> bool:
        """Add deliveries and move the position on, as one step; return whether it
        counted: only while the stored position is that of ``webhook``, and only with
        fewer than ``most`` pending deliveries there before, so that they do not pile
        up for an URL that answers no more. A delivery of an event that has one is
        left out."""

    @abstractmethod
    def due(
        self,
        *,
        now: datetime,
        limit: int,
        without: Collection[tuple[str, str]] = (),
    ) -> Sequence[tuple[Delivery, Webhook]]:
        """Return pending deliveries whose ``next_at`` has come, in the order
        (``next_at``, sequence of the event), of webhooks that are not paused.

        At most one of each webhook, its first, so that none hides the others;
        ``without`` leaves webhooks out, by (tenant, name).
        """

    @abstractmethod
    def earliest(self) -> datetime | None:
        """Return the earliest ``next_at`` of such deliveries."""

    @abstractmethod
    def delivery(self, tenant: str, webhook: str, *, sequence: int) -> Delivery | None:
        """Return the delivery of the event of that sequence."""

    @abstractmethod
    def record(self, delivery: Delivery, *, tries: int) -> bool:
        """Store how a delivery went; return whether it counted: only while it was
        tried ``tries`` times."""

    @abstractmethod
    def deliveries(
        self, tenant: str, webhook: str, *, limit: int, after: Position | None
    ) -> Page[Delivery]:
        """Return deliveries of a webhook, newest event first, by its sequence."""

    @abstractmethod
    def prune(self, *, before: datetime, limit: int) -> int:
        """Forget deliveries that ended before that; return how many."""


class Answers(ABC):
    """Idempotency keys, with the answers to their first requests."""

    @abstractmethod
    def claim(self, tenant: str, key: str, answer: Answer) -> Answer | None:
        """Store an answer still to come, if the key is new; else return what is
        stored for it, unchanged."""

    @abstractmethod
    def complete(
        self, tenant: str, key: str, answer: Answer, *, claimed_at: datetime
    ) -> bool:
        """Put an answer, or a later claim, in the place of a claim.

        Returns whether it counted: only where what is stored was claimed at that
        instant (as if by a token) and is not answered yet.
        """

    @abstractmethod
    def release(self, tenant: str, key: str, *, claimed_at: datetime) -> None:
        """Forget the claim of that instant, if it is there and not answered."""

    @abstractmethod
    def prune(self, *, before: datetime, limit: int) -> int:
        """Forget answers claimed before that instant; return how many."""


class Duties(ABC):
    """Work that one node at a time does for all."""

    @abstractmethod
    def hold(
        self, duty: str, holder: str, *, now: datetime, ttl: timedelta
    ) -> tuple[bool, datetime | None]:
        """Take or prolong the duty until ``now + ttl``.

        Returns whether this holder has it, and when it was last done (the newest
        ``now`` with which anybody held it before this call): the tick on record.
        """

    @abstractmethod
    def release(self, duty: str, holder: str) -> None:
        """Give the duty up at once, if this holder has it."""

    @abstractmethod
    def note(self, duty: str) -> str | None:
        """Return the note that was left with the duty last; it outlives holders."""

    @abstractmethod
    def leave(self, duty: str, holder: str, note: str) -> bool:
        """Leave a note with the duty, in place of the last.

        Returns whether it counted: ``False`` when another has the duty, or nobody.
        """


class Moving(ABC):
    """Schedules and runs on their way from one store to another.

    What moves in leaves no events, makes no hooks due and is not counted against
    quotas; limits and order hold of it as of everything else. While the tenant is
    held, what is there is replaced, so that it can move in again and again, until it
    is what the other store has at last.
    """

    @abstractmethod
    def schedules(
        self, tenant: str, *, limit: int, after: Position | None
    ) -> Page[MovedSchedule]:
        """Return schedules by id, all whose id was ever used: of one that is deleted,
        what is left of it, which may be nothing."""

    @abstractmethod
    def runs(
        self, tenant: str, *, limit: int, after: Position | None
    ) -> Page[MovedRun]:
        """Return all runs by id, with attempts and results.

        A run in a worker's hands is as it is, its live attempt the last.
        """

    @abstractmethod
    def put_schedules(self, items: Sequence[MovedSchedule]) -> Sequence[bool]:
        """Store schedules as they are; return of each whether it was stored.

        Where the id was ever used here: ``False``, unless the tenant is held and the
        id is its own; then it is replaced (by nothing where it is deleted, its runs
        apart), and its runs are admitted anew. Definitions are added to those that
        are there. Each is atomic by itself.

        Raises ``NameTaken``, and ``NotFound`` as ``Schedules.create``; then those
        before it are stored. One whose ``held`` is not what its group's ``paused`` is
        is stored too, and its group is then not carried over.
        """

    @abstractmethod
    def put_runs(self, items: Sequence[MovedRun]) -> Sequence[bool]:
        """Store runs as they are, each with all that belongs to it; return of each
        whether it was stored.

        Where the id is there: ``False``, unless the tenant is held, the id is its own
        and no worker has the run in its hands; then it is replaced with all that
        belongs to it. Each is atomic by itself, and admitted under its schedule's
        limit. None of them is in a worker's hands: none is leased, running or
        stopping. Every attempt's token counts as given to its worker, so that its
        late report is stale. What is available after the instant at which the run
        was made waits for ``Leases.promote``. Raises ``NotFound`` where the schedule
        was never here, or has no definition of that revision; then those before it
        are stored.
        """

    @abstractmethod
    def remove_runs(self, tenant: str, runs: Sequence[str]) -> int:
        """Forget runs of a held tenant with all that belongs to them, as if they had
        never been here; return how many there were.

        Left alone are those in workers' hands, and all of a tenant that is not held.
        """


class Store(ABC):
    """A store: one object per noun, and the whole's life."""

    schedules: Schedules
    runs: Runs
    leases: Leases
    logs: Logs
    workers: Workers
    keys: Keys
    tenants: Tenants
    groups: Groups
    profiles: Profiles
    events: Events
    webhooks: Webhooks
    answers: Answers
    duties: Duties
    moving: Moving

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """Return what this store, as set up, can do; known once it is open."""

    @abstractmethod
    def migrate(self) -> None:
        """Bring the schema to this release's; called before a node opens.

        Creates the tenant ``default``. A store says of what version its schema is,
        and what the oldest is whose nodes may work on it (its floor), so that nodes
        of two releases can stand side by side. A newer schema whose floor is not
        above this release's version is left as it is; of one that is, raises
        ``StoreUnusable`` before anything changes.
        """

    @abstractmethod
    def open(self) -> None:
        """Connect.

        Raises ``StoreUnusable`` when the schema is older than this release's, or its
        floor is above this release's version.
        """

    @abstractmethod
    def close(self) -> None:
        """Disconnect; verbs afterwards raise ``StoreUnavailable``."""

    @abstractmethod
    def ping(self) -> None:
        """Return if the store answers."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the store's own time (the host's, where the store is a file)."""

    @abstractmethod
    def tell(self, news: bytes) -> None:
        """Carry news, at most ``NEWS_BYTES`` long, to all that ``listen`` now, in any
        process, this one among them.

        It may be lost, and nothing waits for it to arrive. Without the capability
        ``notifies`` it does nothing.
        """

    @abstractmethod
    def listen(
        self, hear: Callable[[bytes], None], *, until: Callable[[], bool]
    ) -> None:
        """Call ``hear`` with all news that are told from now on, until ``until``
        says so, which is asked at least every second.

        Blocks; raises ``StoreUnavailable`` when the store is lost. Returns at once
        without the capability ``notifies``.
        """

    @abstractmethod
    def cannot_promise(self) -> Sequence[str]:
        """Return in words which guarantees this store, as set up, does not give."""

    @abstractmethod
    def stats(self, tenant: str | None, *, now: datetime) -> Stats:
        """Return the numbers of a tenant, or of all."""
