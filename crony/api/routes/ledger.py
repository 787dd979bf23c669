"""The ledger, the audit, why, and backfill."""

from __future__ import annotations

from crony.api.bodies.backfill import BackfillBody
from crony.api.routes.route import EDIT, PAGE, Route, get

SCHEDULE = "/schedules/{schedule}"

ROUTES: tuple[Route, ...] = (
    get(
        SCHEDULE + "/occurrences",
        "list_occurrences",
        "Every occurrence of a span, and how it ended",
        "ledger",
        note=(
            "In their order, the past from its records and the future worked out; at "
            "default from a day back to a day ahead. A stretch of occurrences that "
            "ended alike may be one item, with `until` (inclusive) and `count`. States "
            "are those of runs, and `upcoming`, `due` (nothing ticked since), `pruned` "
            "(retention removed the record; `pruned` of the answer tells how many of "
            "the whole history ended how) and `unrecorded` (a gap, which must not be). "
            "`revision` is that of the schedule's definition. What a pause skips is "
            "written down when it ends. A deleted schedule is reached by its id while "
            "it has runs."
        ),
        query=(*PAGE, "from", "to"),
        answer="OccurrencePage",
    ),
    get(
        "/audit/occurrences",
        "audit_occurrences",
        "Look for occurrences without a record",
        "ledger",
        note=(
            "What was due is worked out again from the versions of each schedule, and "
            "compared with the records: `gaps` must be empty. `unverifiable` are spans "
            "whose records were `pruned`, whose versions are not kept (`history`), or "
            "that were worked out under other rules of a time zone that changed since "
            "(`rules`), or is gone (`zone`). Of the whole tenant, or of one schedule; "
            "at default of the last day. `limit` counts schedules; follow `next` to "
            "the end. What is not due yet, or still paused, is not audited."
        ),
        query=(*PAGE, "from", "to", "schedule"),
        answer="Audit",
    ),
    get(
        SCHEDULE + "/why",
        "why",
        "Why an occurrence did or did not run",
        "ledger",
        note=(
            "`code` is for programs, `detail` says what to do. Without `at`: about the "
            "newest occurrence that has come due, else about the next; of a paused "
            "schedule, about one that the pause concerns. At an "
            "instant that is none, `code` says why, and `before` and `after` are the "
            "nearest that are. `run` is the record; `runs` are others that had to do "
            "with it."
        ),
        query=("at",),
        answer="Why",
    ),
    Route(
        method="POST",
        path=SCHEDULE + "/backfill",
        operation="backfill_schedule",
        summary="Run each occurrence of a span of the past",
        note=(
            "One run for each occurrence `from` an instant, inclusive, `to` another, "
            "exclusive, under the present definition, also for instants before the "
            "schedule was made; what lies ahead is left out. All or none, at most "
            "10,000. They are due now and queue, oldest first; a deadline does not "
            "apply to them. A dry run answers 200 and makes nothing. `runs` are the "
            "first ten."
        ),
        tag="ledger",
        roles=EDIT,
        body=BackfillBody,
        status=202,
        also=(200,),
        answer="Backfill",
        problems=("quota",),
        creates=True,
    ),
)
