"""Settings from options, variables, a file and defaults, in this order of weight."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from crony import errors
from crony.config import files
from crony.config.kinds import text_of
from crony.config.setting import Setting
from crony.config.table import SECTIONS, Api, Client, Settings, Storage, Worker, rows

# What a task finds in its environment: a client may run inside a task.
_OF_TASKS = frozenset(
    f"CRONY_{name}"
    for name in (
        "SCHEDULE_ID",
        "SCHEDULE_NAME",
        "RUN_ID",
        "SCHEDULED_FOR",
        "ATTEMPT",
        "TOKEN",
        "DEADLINE",
        "PROGRESS_FD",
    )
)
_OF_CRONY = ("CRONY_HOME", "CRONY_CONFIG")

_OPTION, _VARIABLE, _FILE, _DEFAULT = 3, 2, 1, 0


class _Given(NamedTuple):
    """A setting's text, where it was said, and how much that weighs."""

    text: str
    source: str
    weight: int


def load(
    *,
    path: str | None,
    environ: Mapping[str, str],
    overrides: Mapping[tuple[str, str], object],
) -> Settings:
    """Resolve every setting, or raise InvalidSetting for the first that is wrong.

    ``path`` is what ``--config`` named. ``overrides`` holds what options said, by
    section and key, as text or as the typed value; None, ``()`` and ``{}`` mean that
    the option was not given.
    """
    table = rows()
    _refuse_unknown_variables(table, environ)
    found = files.find(path, environ)
    written = files.read(found) if found else {}
    if found:
        _refuse_unknown_keys(table, found, written)
    values: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
    weights: dict[tuple[str, str], int] = {}
    for setting in table:
        given = _given(setting, found, written, environ, overrides)
        values[setting.section][setting.key] = _value(setting, given, environ)
        weights[setting.section, setting.key] = given.weight if given else _DEFAULT
    _keep_the_heavier_key(values, weights)
    return Settings(
        api=Api(**values["api"]),
        storage=Storage(**values["storage"]),
        worker=Worker(**values["worker"]),
        client=Client(**values["client"]),
    )


def _given(
    setting: Setting,
    found: Path | None,
    written: Mapping[tuple[str, str], str],
    environ: Mapping[str, str],
    overrides: Mapping[tuple[str, str], object],
) -> _Given | None:
    place = (setting.section, setting.key)
    override = overrides.get(place)
    if override is not None and override != () and override != {}:
        return _Given(text_of(override), setting.option or "option", _OPTION)
    # The long variable is the more exact word, so it wins over the short one.
    for variable in (setting.variable, setting.short):
        if variable and environ.get(variable):
            return _Given(environ[variable].strip(), variable, _VARIABLE)
    if found and place in written:
        if setting.secret and files.others_may_read(found):
            detail = "holds a secret that others may read; run: chmod 600 on the file"
            raise errors.InvalidSetting(str(found), _named(setting), detail)
        return _Given(written[place], str(found), _FILE)
    return None


def _value(
    setting: Setting, given: _Given | None, environ: Mapping[str, str]
) -> object:
    if given is None:
        return setting.default(environ)
    default_is_nothing = setting.shown == ""
    if given.text == "" and default_is_nothing:
        return setting.default(environ)
    try:
        return setting.kind.parse(given.text)
    except ValueError as exc:
        detail = "is not usable" if setting.secret else str(exc)
        key = _named(setting) if given.weight == _FILE else setting.key
        raise errors.InvalidSetting(given.source, key, detail) from exc


def _keep_the_heavier_key(
    values: Mapping[str, dict[str, object]], weights: Mapping[tuple[str, str], int]
) -> None:
    """Let ``--key-file`` win over ``CRONY_KEY``: they are one thing said twice."""
    for section in ("worker", "client"):
        if weights[section, "key_file"] > weights[section, "key"]:
            values[section]["key"] = None
        elif weights[section, "key"] > _DEFAULT:
            values[section]["key_file"] = None


def _named(setting: Setting) -> str:
    return f"[{setting.section}] {setting.key}"


def _refuse_unknown_keys(
    table: Iterable[Setting], path: Path, written: Mapping[tuple[str, str], str]
) -> None:
    keys: dict[str, list[str]] = {section: [] for section in SECTIONS}
    for setting in table:
        keys[setting.section].append(setting.key)
    for section, key in written:
        if section not in keys:
            detail = "unknown section" + _nearest(section, keys)
            raise errors.InvalidSetting(str(path), f"[{section}]", detail)
        if key and key not in keys[section]:
            detail = "unknown key" + _nearest(key, keys[section])
            raise errors.InvalidSetting(str(path), f"[{section}] {key}", detail)


def _refuse_unknown_variables(
    table: Iterable[Setting], environ: Mapping[str, str]
) -> None:
    """Refuse what was surely meant for us: a section's prefix, or a near miss."""
    known = {setting.variable for setting in table}
    known.update(setting.short for setting in table if setting.short)
    known.update(_OF_CRONY)
    prefixes = tuple(f"CRONY_{section}_".upper() for section in SECTIONS)
    for name in environ:
        if not name.startswith("CRONY_") or name in known or name in _OF_TASKS:
            continue
        if name.startswith(prefixes) or _close(name, known, least=0.85):
            detail = "unknown variable" + _nearest(name, known)
            raise errors.InvalidSetting("environment", name, detail)


def _nearest(name: str, known: Iterable[str]) -> str:
    close = _close(name, known, least=0.6)
    return f'; did you mean "{close}"?' if close else ""


def _close(name: str, known: Iterable[str], *, least: float) -> str | None:
    # Imported here: few ever need it, and every start of the client would pay for it.
    from difflib import get_close_matches

    close = get_close_matches(name, sorted(known), n=1, cutoff=least)
    return close[0] if close else None
