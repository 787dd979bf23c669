"""Read a crontab as Debian's cron does: crontab(5), line by line.

Environment lines hold for the entries below them. A line that cron would not take is
a fault with its reason; what cron does and Crony does not is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from crony.cli.crontab import fields
from crony.cli.crontab.variables import assignment

#: What cron sets when the crontab does not.
_DEFAULTS = {"SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}

#: About mail, which Crony does not send.
_MAIL = ("MAILTO", "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING")

_WORD = re.compile(r"[^ \t]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line that runs a command."""

    line: int
    #: Five fields or an alias, written plainly.
    when: str
    #: From ``CRON_TZ``; None is the host's zone.
    zone: str | None
    #: None in a user's crontab, which has no such column.
    user: str | None
    shell: str
    command: str
    stdin: str
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say about a line; line 0 is the file as a whole."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Crontab:
    """All that one file holds."""

    entries: tuple[Entry, ...]
    faults: tuple[Remark, ...]
    warnings: tuple[Remark, ...]


@dataclass(slots=True)
class _Reader:
    """What was read so far, and the environment of the lines to come."""

    system: bool
    environment: dict[str, str] = field(default_factory=lambda: dict(_DEFAULTS))
    zone: str | None = None
    entries: list[Entry] = field(default_factory=list)
    faults: list[Remark] = field(default_factory=list)
    warnings: list[Remark] = field(default_factory=list)

    def read(self, number: int, line: str) -> None:
        if "\0" in line or any("\ud800" <= c <= "\udfff" for c in line):
            self.faults.append(Remark(number, "is not UTF-8 text"))
            return
        assigned = assignment(line)
        if assigned is not None:
            self._assign(number, *assigned)
            return
        try:
            self._entry(number, line)
        except ValueError as exc:
            self.faults.append(Remark(number, str(exc)))

    def _assign(self, number: int, name: str, value: str) -> None:
        if name == "CRON_TZ":
            self.zone = value or None
        elif name in _MAIL:
            if value:
                reason = f"{name}: no mail is sent; `crony logs` has the output"
                self.warnings.append(Remark(number, reason))
        elif name in ("LOGNAME", "USER"):
            reason = f"{name} is not set: a task runs as the worker's task user"
            self.warnings.append(Remark(number, reason))
        elif not _NAME.fullmatch(name):
            self.faults.append(Remark(number, f'"{name}" is no name of a variable'))
        elif name.startswith("CRONY_"):
            self.faults.append(
                Remark(number, f"{name}: CRONY_ is for the worker's own")
            )
        else:
            if re.search(r"\$\{?\w", value):
                reason = f"{name}: cron does not expand $ in values, nor does Crony"
                self.warnings.append(Remark(number, reason))
            self.environment[name] = value

    def _entry(self, number: int, line: str) -> None:
        when, rest = _when(line)
        user = None
        if self.system:
            user, rest = _word(rest)
            if not user:
                raise ValueError("the user and the command are missing")
        if not rest:
            raise ValueError("the command is missing")
        if when is None:
            reason = "@reboot has no instant and is left out: use a service manager"
            self.warnings.append(Remark(number, reason))
            return
        command, stdin = split_percent(rest)
        if not command.strip():
            raise ValueError("the command is missing before the %")
        entry = Entry(
            line=number,
            when=when,
            zone=self.zone,
            user=user,
            shell=self.environment["SHELL"],
            command=command,
            stdin=stdin,
            environment=MappingProxyType(dict(self.environment)),
        )
        self.entries.append(entry)


def parse(text: str, *, system: bool) -> Crontab:
    """Read a whole file; ``system``: its lines have a column with the user."""
    reader = _Reader(system)
    if text.startswith("\ufeff"):
        text = text[1:]
        reader.warnings.append(Remark(0, "a byte order mark is left out"))
    lines = text.split("\n")
    if lines[-1]:
        reason = "the last line does not end: cron would ignore it"
        reader.warnings.append(Remark(len(lines), reason))
    if any(line.endswith("\r") for line in lines):
        reason = "lines end as on Windows (CRLF): the carriage returns are left out"
        reader.warnings.append(Remark(0, reason))
    for number, line in enumerate(lines, 1):
        # Only what cron skips: a form feed, say, does not make a line empty.
        meant = line.removesuffix("\r").lstrip(" \t")
        if meant and not meant.startswith("#"):
            reader.read(number, meant)
    return Crontab(tuple(reader.entries), tuple(reader.faults), tuple(reader.warnings))


def split_percent(text: str) -> tuple[str, str]:
    r"""Split a command at its first bare ``%``, which begins its standard input.

    In the input each further ``%`` is a newline, and one is added at the end; ``\%``
    is a percent sign in both. Every other backslash stays.
    """
    command: list[str] = []
    escaped = False
    for position, character in enumerate(text):
        if character == "%" and escaped:
            command[-1] = "%"
        elif character == "%":
            return "".join(command), _input(text[position + 1 :])
        else:
            command.append(character)
        escaped = character == "\\" and not escaped
    return "".join(command), ""


def _input(text: str) -> str:
    # Unlike in the command, two backslashes do not make up a pair here: cron's way.
    lines = re.sub(r"\\?%", lambda found: "%" if found[0] == r"\%" else "\n", text)
    return lines if not lines or lines.endswith("\n") else lines + "\n"


def _when(line: str) -> tuple[str | None, str]:
    """Return the expression (None: at reboot) and what follows it."""
    if line.startswith("@"):
        word, rest = _word(line)
        return (None if word == "@reboot" else fields.alias(word)), rest
    if re.match(r"[A-Za-z_]\w*[ \t]*=[ \t]*$", line, re.ASCII):
        name = line.partition("=")[0].strip()
        raise ValueError(f'an empty value needs quotes: {name}=""')
    words: list[str] = []
    rest = line
    for _ in range(5):
        word, rest = _word(rest)
        words.append(word)
    if not all(words):
        raise ValueError("is neither NAME=value nor five time fields and a command")
    return fields.expression(words), rest


def _word(text: str) -> tuple[str, str]:
    """Return the first word, and the rest without the blanks between."""
    found = _WORD.match(text)
    if found is None:
        return "", ""
    return found[0], text[found.end() :].lstrip(" \t")
