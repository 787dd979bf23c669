"""What goes wrong, in words: what it is, what to do next, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence

import click

from crony import errors
from crony.cli import answers, output

REFUSED, USAGE, NOT_FOUND, KEY, UNREACHABLE, SAFEGUARD = 1, 2, 3, 4, 5, 6
INTERRUPTED = 130

#: The first row that fits decides.
CODES: tuple[tuple[type[errors.CronyError], int], ...] = (
    (errors.ServiceUnreachable, UNREACHABLE),
    (errors.StoreUnavailable, UNREACHABLE),
    (errors.StoreUnsafe, SAFEGUARD),
    (errors.NotFound, NOT_FOUND),
    (errors.Unauthenticated, KEY),
    (errors.Forbidden, KEY),
    (errors.MissingSafeguard, SAFEGUARD),
    (errors.SandboxFailed, SAFEGUARD),
    (errors.AddressRefused, SAFEGUARD),
    (errors.InvalidSetting, USAGE),
    (errors.InvalidTrigger, USAGE),
    (errors.InvalidBody, USAGE),
    (errors.MalformedBody, USAGE),
    (errors.InvalidParameter, USAGE),
    (errors.CronyError, REFUSED),
)

_STATUSES = {404: NOT_FOUND, 401: KEY, 403: KEY}

#: What to do next, by the kind of a problem.
NEXT = {
    "no-key": "name a key that this service knows: --key-file FILE or CRONY_KEY_FILE; "
    "on its own machine `crony keys admin` prints one",
    "role": "use a key with a higher role; `crony keys` lists them",
    "not-found": "`crony ls` lists the schedules, `crony runs` the runs, "
    "`crony workers` the workers, `crony keys` the keys",
    "name-taken": "choose another name, or replace it: crony add --replace",
    "conflict": "look at it with `crony show`, and try again",
    "in-use": "remove what refers to it first",
    "run-over": "`crony retry RUN` runs it once more",
    "revision": "it was changed meanwhile: look at it with `crony show` and try again",
    "events-pruned": "begin anew; `crony runs` has what is still kept of the runs",
    "stale-token": "it was changed meanwhile: look at it and try again",
    "key-in-progress": "the first request is still under way: try again",
    "key-reused": "use a new idempotency key for a new request",
    "invalid-body": "change what is named above and try again",
    "invalid-parameter": "change what is named above and try again",
    "malformed-json": "check the file: it must hold one JSON object",
    "too-large": "make the task smaller, or let it fetch its data",
    "quota": "remove what is not needed, or ask the operator for a larger quota",
    "rate": "wait a moment and try again",
    "store-unavailable": "nothing acknowledged is lost; try again in a moment",
    "overloaded": "try again in a moment",
}

#: What to do next where it is a worker that was refused.
NEXT_OF_A_WORKER = {
    "no-key": "register it with a key of the role enroll: crony-worker register. One "
    "that worked until now was removed, or another of this host was registered under "
    "its name: give that one a --name of its own",
    "not-found": "it was removed; to have it back: crony-worker register",
}

_ELSEWHERE = "check the address (--api, CRONY_API_URL) and the service's log"


def exit_code(failure: errors.CronyError) -> int:
    """Return the code that a program ends with after this."""
    if isinstance(failure, errors.Refused):
        return _STATUSES.get(failure.status, REFUSED)
    return next(code for kind, code in CODES if isinstance(failure, kind))


def explain(failure: errors.CronyError, program: str = "crony") -> list[str]:
    """Return the lines to print: what is wrong, all of it, and what to do."""
    if isinstance(failure, errors.InvalidSetting) and failure.source.startswith("--"):
        # The option is the key's name already.
        return [f"{failure.source}: {failure.detail}"]
    lines = [str(failure)]
    if not isinstance(failure, errors.Refused):
        return lines
    for fault in answers.members(answers.as_object(failure.problem), "errors"):
        place = answers.text(fault, "pointer") or answers.text(fault, "parameter")
        detail = answers.text(fault, "detail")
        # Of a lone parameter the first line says the same.
        if detail not in lines[0]:
            lines.append(f"  {field(place)}: {detail}")
    hints = {**NEXT, **NEXT_OF_A_WORKER} if program == "crony-worker" else NEXT
    hint = hints.get(failure.kind, _ELSEWHERE)
    if failure.retry_after is not None:
        hint += f" (after {failure.retry_after.total_seconds():g} s)"
    lines.append(f"next: {hint}")
    return lines


def field(pointer: str) -> str:
    """Return ``task.env.A`` for ``/task/env/A``: what people type is no pointer."""
    parts = pointer.removeprefix("/").split("/")
    plain = (part.replace("~1", "/").replace("~0", "~") for part in parts)
    return ".".join(plain) or "the body"


def run(command: click.Command, program: str, argv: Sequence[str] | None = None) -> int:
    """Run a program to its end; return its exit code."""
    try:
        ended = command.main(argv, prog_name=program, standalone_mode=False)
    except click.UsageError as exc:
        exc.show()
        return USAGE
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        output.note("interrupted")
        return INTERRUPTED
    except errors.CronyError as exc:
        return _fail(program, exc)
    return ended if isinstance(ended, int) else 0


def _fail(program: str, failure: errors.CronyError) -> int:
    first, *others = explain(failure, program)
    click.echo(
        f"{click.style(program + ':', fg='red')} {output.plain(first)}", err=True
    )
    for line in others:
        output.note(line)
    return exit_code(failure)
