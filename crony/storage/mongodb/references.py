"""What schedules refer to is there, in MongoDB."""

from __future__ import annotations

from crony import errors
from crony.model.schedule import Schedule
from crony.storage import changes
from crony.storage.documents import Document
from crony.storage.mongodb import kinds, profiles
from crony.storage.mongodb.book import Book
from crony.storage.mongodb.work import Work


def check(work: Work, schedule: Schedule) -> None:
    """Refuse a schedule whose group or profile is not there, or not as it thinks."""
    group = check_group(work, schedule)
    if schedule.held != group["paused"]:
        raise changes.lagging(schedule.definition.group)


def check_group(work: Work, schedule: Schedule) -> Document:
    """Refuse a schedule whose group or profile is not there; return the group."""
    written = schedule.definition
    group = work.get(kinds.GROUPS, written.group)
    if group is None:
        raise errors.NotFound("group", written.group)
    profiles.check(work, written.profile)
    return group


def check_name(book: Book, schedule: Schedule) -> None:
    """Refuse a schedule whose name is another's."""
    name = schedule.definition.name
    holder = None if name is None else book.schedules.holder(name)
    if name is not None and holder not in (None, schedule.id):
        raise errors.NameTaken("schedule", name, holder=str(holder))
