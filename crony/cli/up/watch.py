"""Tell of each run as it ends, as far as the service's own history shows it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

from crony import wire
from crony.cli import answers, instants, output
from crony.client import Client
from crony.model.state import TERMINAL
from crony.model.task import JsonObject

#: Of one look; more in half a second are not told one by one.
_MOST = 200

#: A run is listed by the instant it was due: a look goes back that far.
_BACK = timedelta(seconds=60)


class Watch:
    """Looks at the newest runs, and says once of each that it has ended.

    What had ended before is not told again.
    """

    def __init__(self, client: Client, *, now: datetime) -> None:
        self._client = client
        self._since = now - _BACK
        self._told: set[str] = set()
        self._open: set[str] = set()
        self.look()

    def look(self) -> list[JsonObject]:
        """Return the runs that ended since the last look, in the order they ended."""
        since = wire.format_instant(self._since)
        newest = list(islice(self._client.each_run(since=since, limit=_MOST), _MOST))
        seen = {answers.text(run, "id") for run in newest}
        late = [self._client.get_run(run) for run in sorted(self._open - seen)]
        ended = [run for run in (*newest, *late) if self._is_news(run)]
        if newest:
            latest = max(answers.text(run, "scheduled_for") for run in newest)
            self._since = max(self._since, wire.parse_instant(latest) - _BACK)
        # What is not listed any more can't come again.
        self._told &= seen | {answers.text(run, "id") for run in late}
        return sorted(ended, key=lambda run: answers.text(run, "finished_at"))

    def _is_news(self, run: JsonObject) -> bool:
        identity = answers.text(run, "id")
        if answers.text(run, "state") not in TERMINAL:
            self._open.add(identity)
            return False
        self._open.discard(identity)
        news = identity not in self._told
        self._told.add(identity)
        return news


def line(run: JsonObject) -> str:
    """Return one run in one line."""
    ended = answers.text(run, "finished_at") or answers.text(run, "scheduled_for")
    name = answers.text(run, "schedule_name") or answers.text(run, "schedule")
    words = [
        instants.time_of_day(ended),
        output.plain(name),
        output.state(answers.text(run, "state")),
    ]
    if run.get("duration"):
        words.append(f"took {instants.brief(answers.text(run, 'duration'))}")
    if run.get("lateness"):
        words.append(f"{instants.brief(answers.text(run, 'lateness'))} late")
    if run.get("error"):
        words.append(output.shown(output.plain(answers.text(run, "error"))))
    words.append(answers.text(run, "id"))
    return "  ".join(words)
