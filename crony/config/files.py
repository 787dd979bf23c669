"""Find and read the file of settings; what it holds is judged elsewhere."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from crony import errors
from crony.config.home import home

SYSTEM_FILE = "/etc/crony/crony.conf"


def find(path: str | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file to read: the one asked for, or the first that exists.

    A file that was asked for by name must exist; the others need not.
    """
    for source, chosen in (("--config", path), ("CRONY_CONFIG", _chosen(environ))):
        if chosen:
            found = Path(chosen).expanduser()
            if not found.exists():
                raise errors.InvalidSetting(source, "config", f"no file {found}")
            return found
    for candidate in (home(environ) / "crony.conf", Path(SYSTEM_FILE)):
        if candidate.is_file():
            return candidate
    return None


def _chosen(environ: Mapping[str, str]) -> str | None:
    return environ.get("CRONY_CONFIG")


def read(path: Path) -> dict[tuple[str, str], str]:
    """Return the file's values by section and key, as they are written."""
    import configparser

    parser = configparser.RawConfigParser(
        delimiters=("=",), default_section="\0", empty_lines_in_values=False
    )
    # Keys are compared as written: `Bind` is a slip, and gets told so.
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except OSError as exc:
        detail = f"can't be read: {exc.strerror}"
        raise errors.InvalidSetting(str(path), "file", detail) from exc
    except UnicodeDecodeError as exc:
        raise errors.InvalidSetting(str(path), "file", "is not UTF-8") from exc
    except configparser.MissingSectionHeaderError as exc:
        detail = "comes before the first [section]"
        raise errors.InvalidSetting(str(path), f"line {exc.lineno}", detail) from exc
    except configparser.DuplicateSectionError as exc:
        detail = f"[{exc.section}] is there twice"
        raise errors.InvalidSetting(str(path), f"line {exc.lineno}", detail) from exc
    except configparser.DuplicateOptionError as exc:
        detail = f"{exc.option} is there twice in [{exc.section}]"
        raise errors.InvalidSetting(str(path), f"line {exc.lineno}", detail) from exc
    except configparser.ParsingError as exc:
        # Only the line's number: what stands in it may be half a secret.
        line = exc.errors[0][0] if exc.errors else 0
        detail = "is not of the form key = value"
        raise errors.InvalidSetting(str(path), f"line {line}", detail) from exc
    written = {(section, ""): "" for section in parser.sections()}
    for section in parser.sections():
        for key, value in parser.items(section):
            written[section, key] = value.strip()
    return written


def others_may_read(path: Path) -> bool:
    """Say whether anyone but the owner may read the file."""
    return bool(stat.S_IMODE(os.stat(path).st_mode) & 0o077)
