"""What one row of the table of settings says, and how a field becomes a row."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar, cast

from crony.config.kinds import Kind, text_of

T = TypeVar("T")
Environ = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row of the table."""

    section: str = ""
    key: str = ""
    kind: Kind[object]
    meaning: str
    #: What applies when nothing is said, given the environment.
    default: Callable[[Environ], object]
    #: The default as people read it; it may name a variable.
    shown: str
    #: Never shown, and refused from a file that others may read.
    secret: bool
    #: A variable beside the long one, or None.
    short: str | None
    #: The option of the program, or None: a secret is never an argument.
    option: str | None

    @property
    def variable(self) -> str:
        """The environment variable that every setting has."""
        return f"CRONY_{self.section}_{self.key}".upper()


def row(
    kind: Kind[T],
    default: T,
    meaning: str,
    *,
    short: str | None = None,
    option: str | None = None,
    secret: bool = False,
) -> T:
    """Make the field of a setting whose default is always the same."""
    setting = Setting(
        kind=kind,
        meaning=meaning,
        default=lambda _: default,
        shown=text_of(default),
        secret=secret,
        short=short,
        option=option,
    )
    return _field(setting, lambda _: default)


def derived(
    kind: Kind[T],
    default: Callable[[Environ], T],
    shown: str,
    meaning: str,
    *,
    short: str | None = None,
    option: str | None = None,
) -> T:
    """Make the field of a setting whose default depends on where it runs."""
    setting = Setting(
        kind=kind,
        meaning=meaning,
        default=default,
        shown=shown,
        secret=False,
        short=short,
        option=option,
    )
    return _field(setting, default)


def _field(setting: Setting, default: Callable[[Environ], T]) -> T:
    # Typed as the value: mypy reads the fields of a class as it reads plain defaults.
    made: T = field(
        default_factory=lambda: default(os.environ),
        repr=not setting.secret,
        metadata={"setting": setting},
    )
    return made


def settings_of(section: str, made: type) -> tuple[Setting, ...]:
    """Return the rows of one section, in the order of its fields."""
    found: list[Setting] = []
    for item in fields(made):
        setting = cast(Setting, item.metadata["setting"])
        usual = "--" + item.name.replace("_", "-")
        option = None if setting.secret else setting.option or usual
        found.append(replace(setting, section=section, key=item.name, option=option))
    return tuple(found)
