"""The sample file and the reference page, written from the table."""

import re
from textwrap import wrap

from crony.config.files import SYSTEM_FILE
from crony.config.setting import Setting
from crony.config.table import SECTIONS, rows

_SAMPLE_HEAD = f"""\
# Settings of Crony, with their defaults; python -m crony.config wrote this file.
#
# One file is read, the first of: what --config names, $CRONY_CONFIG,
# $CRONY_HOME/crony.conf, {SYSTEM_FILE}. An option wins over a variable, a
# variable over this file.
"""

_PAGE_HEAD = f"""\
# Settings

<!-- Written by `python -m crony.config --format markdown`. -->

Each setting has a line in the file, an environment variable and, where a program
takes it, an option. The option wins, then the variable, then the file, then the
default.

One file is read, the first of: what `--config` names, `$CRONY_CONFIG`,
`$CRONY_HOME/crony.conf`, `{SYSTEM_FILE}`. It is INI; `etc/crony.conf` in the
repository is a sample with every default. An unknown section or key, or a variable
that is surely a slip, is refused, and the nearest name is given.

`$CRONY_HOME` is the directory with the store, the keys and the worker's state:
at default `crony` under `$XDG_DATA_HOME`, else `~/.local/share/crony`. It must belong
to the user who runs Crony, and nobody else may enter it.
"""


def sample() -> str:
    """Return the text of ``etc/crony.conf``: every setting, commented out."""
    lines = [_SAMPLE_HEAD.rstrip()]
    for section, made in SECTIONS.items():
        lines.append(f"\n[{section}]")
        lines.append(f"# {_doc(made)}")
        for setting in rows():
            if setting.section == section:
                lines.append("")
                text = f"{setting.meaning} ({setting.kind.form.replace('`', '')})"
                lines.extend(f"# {line}" for line in wrap(text, 78))
                lines.append(f"#{setting.key} = {setting.shown}".rstrip())
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the settings page of the reference, as Markdown."""
    lines = [_PAGE_HEAD.rstrip()]
    for section, made in SECTIONS.items():
        lines.extend(["", f"## [{section}]", "", _doc(made), ""])
        for setting in rows():
            if setting.section == section:
                lines.extend(_entry(setting))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _entry(setting: Setting) -> list[str]:
    variables = [f"`{setting.variable}`"]
    if setting.short:
        variables.append(f"short `{setting.short}`")
    default = f"`{setting.shown}`" if setting.shown else "nothing"
    entry = [
        f"### {setting.section}.{setting.key}\n",
        setting.meaning + "\n",
        f"- kind: {setting.kind.form}" + (", secret" if setting.secret else ""),
        f"- default: {default}",
        f"- variable: {', '.join(variables)}",
    ]
    if setting.option:
        entry.append(f"- option: `{setting.option}`")
    return [*entry, ""]


def _doc(made: type) -> str:
    return (made.__doc__ or "").strip()
