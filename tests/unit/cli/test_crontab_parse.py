"""Reading crontabs, held to what crontab(5) of Debian's cron says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crony.cli.crontab.parse import Crontab, Entry, parse, split_percent


def read(text: str, *, system: bool = False) -> Crontab:
    return parse(text, system=system)


def only(text: str, *, system: bool = False) -> Entry:
    table = read(text, system=system)
    assert table.faults == ()
    (entry,) = table.entries
    return entry


def reason(text: str, *, system: bool = False) -> str:
    table = read(text, system=system)
    assert table.entries == ()
    (fault,) = table.faults
    return fault.reason


@pytest.mark.parametrize(
    ("line", "when"),
    [
        ("* * * * * x", "* * * * *"),
        ("05 08 01 01 00 x", "5 8 1 1 0"),
        ("0\t4\t*\t*\t*\tx", "0 4 * * *"),
        ("  \t 0  4   * *\t* x", "0 4 * * *"),
        ("*/15 * * * * x", "*/15 * * * *"),
        ("7-23/2,59 1,2 * * * x", "7-23/2,59 1,2 * * *"),
        ("0 0 * jan,Feb-APR sun x", "0 0 * JAN,FEB-APR SUN"),
        ("0 0 * * 5-7 x", "0 0 * * 5-7"),
        ("0 0 * * 7 x", "0 0 * * 7"),
        ("@daily x", "@daily"),
        ("@annually\tx", "@annually"),
    ],
)
def test_time_fields_are_written_plainly(line: str, when: str) -> None:
    assert only(f"{line}\n").when == when


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("61 * * * * x", "minute 61 is out of 0..59"),
        ("* 24 * * * x", "hour 24 is out of 0..23"),
        ("* * 0 * * x", "day of month 0 is out of 1..31"),
        ("* * * 13 * x", "month 13 is out of 1..12"),
        ("* * * * 8 x", "day of week 8 is out of 0..7"),
        ("* * * foo * x", 'month "foo" is neither a number nor a name'),
        ("30-10 * * * * x", 'minute "30-10": the range runs backwards'),
        ("* * * * sat-sun x", 'day of week "sat-sun": the range runs backwards'),
        ("5/10 * * * * x", "write 5-59/10"),
        ("*/0 * * * * x", 'the step "0" is not in 1..60'),
        ("*/99 * * * * x", 'the step "99" is not in 1..60'),
        ("0~30 * * * * x", 'minute "0~30" is not what crontab(5) knows'),
        ("H * * * * x", 'minute "H" is neither a number nor a name'),
        ("* * L * * x", 'day of month "L" is neither'),
        ("* * * * 1#2 x", 'day of week "1#2" is not what crontab(5) knows'),
        ("1, * * * * x", 'minute "1," is not what crontab(5) knows'),
        ("*-5 * * * * x", 'minute "*-5" is not what crontab(5) knows'),
        ("@Daily x", "did you mean @daily?"),
        ("@every_minute x", "is none of @yearly"),
        ("* * * *", "neither NAME=value nor five time fields"),
        ("* * * * *", "the command is missing"),
        ("* * * * *   ", "the command is missing"),
        ("@daily", "the command is missing"),
        ("* * * * * %input", "the command is missing before the %"),
        ("echo hello world", "neither NAME=value nor five time fields"),
        ("FOO=", 'an empty value needs quotes: FOO=""'),
        ("A-B=c", '"A-B" is no name of a variable'),
    ],
)
def test_a_line_that_cron_refuses_is_named_with_its_reason(
    line: str, said: str
) -> None:
    assert said in reason(f"{line}\n")


def test_comments_and_blank_lines_are_skipped_and_counted() -> None:
    entry = only("# first\n\n \t\n\t# indented\n* * * * * x # not a comment\n")
    assert (entry.line, entry.command) == (5, "x # not a comment")


def test_variables_hold_for_the_lines_below_them_only() -> None:
    table = read("A=1\n* * * * * x\nA=2\nB=3\n* * * * * y\n")
    first, second = (dict(entry.environment) for entry in table.entries)
    defaults = {"SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    assert first == {**defaults, "A": "1"}
    assert second == {**defaults, "A": "2", "B": "3"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("A = b c ", "b c"),
        ('A="  b  "', "  b  "),
        ("A='b\"c'", 'b"c'),
        ('A=""', ""),
        ("\"A\" = 'x'", "x"),
        ("A=b=c", "b=c"),
        ('A=b "c"', 'b "c"'),
        ("A=x # y", "x # y"),
    ],
)
def test_a_variable_may_be_quoted(line: str, value: str) -> None:
    assert only(f"{line}\n* * * * * x\n").environment["A"] == value


def test_values_are_not_expanded_and_it_is_said() -> None:
    table = read("PATH=$HOME/bin:/bin\n* * * * * x\n")
    assert table.entries[0].environment["PATH"] == "$HOME/bin:/bin"
    assert "does not expand" in table.warnings[0].reason


def test_the_shell_of_the_crontab_runs_the_command() -> None:
    assert only("SHELL=/bin/bash\n* * * * * x\n").shell == "/bin/bash"
    assert only("* * * * * x\n").shell == "/bin/sh"


def test_mail_is_a_warning_unless_it_is_switched_off() -> None:
    table = read('MAILTO=me\nMAILTO=""\n* * * * * x\n')
    assert [warning.line for warning in table.warnings] == [1]
    assert "MAILTO" not in table.entries[0].environment


def test_cron_tz_is_the_zone_of_the_lines_below() -> None:
    table = read("* * * * * x\nCRON_TZ=Asia/Tokyo\n* * * * * y\n")
    assert [entry.zone for entry in table.entries] == [None, "Asia/Tokyo"]
    assert "CRON_TZ" not in table.entries[1].environment


def test_an_assignment_before_a_command_is_part_of_the_command() -> None:
    assert only("0 0 * * * A=1 x\n").command == "A=1 x"
    assert only("@daily A=1 x\n").command == "A=1 x"


def test_reboot_is_a_warning_and_no_entry() -> None:
    table = read("@reboot x\n")
    assert (table.entries, table.faults) == ((), ())
    assert "@reboot" in table.warnings[0].reason


@pytest.mark.parametrize(
    ("text", "command", "stdin"),
    [
        ("a", "a", ""),
        (r"date +\%F", "date +%F", ""),
        ("mail%hello%world", "mail", "hello\nworld\n"),
        ("a%", "a", ""),
        ("a%%", "a", "\n"),
        (r"a%50\% off", "a", "50% off\n"),
        (r"a \\%b", r"a \\", "b\n"),
        (r"echo '\n' %x", r"echo '\n' ", "x\n"),
        (r"a%b\n", "a", "b\\n\n"),
    ],
)
def test_percent_signs_make_the_standard_input(
    text: str, command: str, stdin: str
) -> None:
    assert split_percent(text) == (command, stdin)
    entry = only(f"* * * * * {text}\n")
    assert (entry.command, entry.stdin) == (command, stdin)


def test_a_system_crontab_has_a_user_before_the_command() -> None:
    entry = only("17 * * * *\troot    cd / && x\n", system=True)
    assert (entry.user, entry.command) == ("root", "cd / && x")
    entry = only("@hourly www-data x\n", system=True)
    assert (entry.user, entry.command) == ("www-data", "x")
    assert only("* * * * * root x\n").user is None


@pytest.mark.parametrize("line", ["* * * * * root", "@daily root", "@reboot root"])
def test_a_user_without_a_command_is_a_fault(line: str) -> None:
    assert "the command is missing" in reason(f"{line}\n", system=True)


def test_carriage_returns_are_left_out_with_a_warning() -> None:
    table = read("A=b\r\n\r\n* * * * * x\r\n")
    assert table.entries[0].command == "x"
    assert table.entries[0].environment["A"] == "b"
    assert ["CRLF" in warning.reason for warning in table.warnings] == [True]


def test_a_last_line_without_its_end_is_read_with_a_warning() -> None:
    table = read("* * * * * x")
    assert table.entries[0].command == "x"
    assert "does not end" in table.warnings[0].reason


def test_a_line_that_is_no_text_is_a_fault_and_a_comment_may_be() -> None:
    text = b"# caf\xe9\n* * * * * caf\xe9\n".decode("utf-8", "surrogateescape")
    table = read(text)
    assert [(f.line, f.reason) for f in table.faults] == [(2, "is not UTF-8 text")]
    assert "UTF-8" in reason("* * * * * a\0b\n")


def test_a_byte_order_mark_does_not_hide_the_first_line() -> None:
    assert only("\ufeff* * * * * x\n").command == "x"


@given(st.text(alphabet=st.characters(codec=None)), st.booleans())
def test_no_text_makes_the_reader_fail(text: str, system: bool) -> None:  # noqa: FBT001  # hypothesis gives it
    table = read(text, system=system)
    lines = text.count("\n") + 1
    for remark in (*table.faults, *table.warnings, *table.entries):
        assert 0 <= remark.line <= lines


_WORDS = st.text(
    alphabet=st.characters(blacklist_categories=["C", "Z"], blacklist_characters="#"),
    min_size=1,
)
_NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True).map(lambda n: "V" + n)
_VALUES = st.text(alphabet=st.characters(codec="utf-8", blacklist_categories=["C"]))
_WHEN = st.one_of(
    st.sampled_from(["@daily", "@hourly", "@yearly"]),
    st.tuples(
        st.integers(0, 59).map(str),
        st.sampled_from(["*", "*/2", "1-5", "0,12", "6-22/4"]),
        st.integers(1, 31).map(str),
        st.sampled_from(["*", "JAN", "1-6"]),
        st.sampled_from(["*", "MON-FRI", "7"]),
    ).map(" ".join),
)


@given(
    _WHEN,
    _WORDS,
    st.lists(_VALUES.filter(lambda v: not v.startswith("\n")), max_size=3),
    st.dictionaries(_NAMES, _VALUES.filter(lambda v: '"' not in v), max_size=3),
    st.sampled_from([" ", "\t", " \t "]),
)
def test_what_is_written_as_a_crontab_is_read_the_same(
    when: str, word: str, rest: list[str], variables: dict[str, str], blank: str
) -> None:
    command = blank.join([word, *rest]).replace("\\", "/")
    lines = [f'{name} = "{value}"' for name, value in variables.items()]
    escaped = command.replace("%", r"\%")
    line = blank.join([*when.split(), "root", escaped])
    entry = only("\n".join([*lines, line, ""]), system=True)
    assert entry.when == when
    assert entry.command == command
    assert entry.stdin == ""
    assert variables.items() <= entry.environment.items()
