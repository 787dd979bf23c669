"""What one row of the table of settings says, and the sections that have them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn, TypeVar, cast

from crony.config.kinds import Kind, text_of

T = TypeVar("T")
Environ = Mapping[str, str]


class Setting(NamedTuple):
    """One row of the table."""

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
    section: str = ""
    key: str = ""

    @property
    def variable(self) -> str:
        """The environment variable that every setting has."""
        return f"CRONY_{self.section}_{self.key}".upper()


class Section:
    """What was told of one section: a value under the name of each row.

    Not a dataclass: making those takes most of the time that settings take, and each
    program pays for it at its start.
    """

    def __init__(self, **values: object) -> None:
        if values.keys() != _rows_of(type(self)).keys():
            raise TypeError("each row has one value, and nothing else has any")
        vars(self).update(values)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} stays as it was told")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __repr__(self) -> str:
        # SECURITY: a secret is not shown, wherever this is printed.
        shown = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name, setting in _rows_of(type(self)).items()
            if not setting.secret
        )
        return f"{type(self).__name__}({shown})"


def row(
    kind: Kind[T],
    default: T,
    meaning: str,
    *,
    short: str | None = None,
    option: str | None = None,
    secret: bool = False,
) -> T:
    """Make the row of a setting whose default is always the same."""
    setting = Setting(
        kind=kind,
        meaning=meaning,
        default=lambda _: default,
        shown=text_of(default),
        secret=secret,
        short=short,
        option=option,
    )
    # Typed as the value, which is what an object of the section has under this name.
    return cast(T, setting)


def derived(
    kind: Kind[T],
    default: Callable[[Environ], T],
    shown: str,
    meaning: str,
    *,
    short: str | None = None,
    option: str | None = None,
) -> T:
    """Make the row of a setting whose default depends on where it runs."""
    setting = Setting(
        kind=kind,
        meaning=meaning,
        default=default,
        shown=shown,
        secret=False,
        short=short,
        option=option,
    )
    return cast(T, setting)


def settings_of(section: str, made: type[Section]) -> tuple[Setting, ...]:
    """Return the rows of one section, in their order."""
    found: list[Setting] = []
    for key, setting in _rows_of(made).items():
        usual = "--" + key.replace("_", "-")
        option = None if setting.secret else setting.option or usual
        found.append(setting._replace(section=section, key=key, option=option))
    return tuple(found)


def _rows_of(made: type[Section]) -> dict[str, Setting]:
    return {key: said for key, said in vars(made).items() if isinstance(said, Setting)}
