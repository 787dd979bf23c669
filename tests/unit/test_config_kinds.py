"""The kinds of setting: what each accepts, refuses and makes of it."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from crony.config import kinds

MINUTES = kinds.duration(least=timedelta(seconds=1), most=timedelta(hours=2))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (MINUTES, "90s", timedelta(seconds=90)),
        (MINUTES, "1h30m", timedelta(minutes=90)),
        (MINUTES, "1.5s", timedelta(milliseconds=1500)),
        (MINUTES, "1500ms", timedelta(milliseconds=1500)),
        (MINUTES, "PT15M", timedelta(minutes=15)),
        (kinds.BIND, "[::1]:0", "[::1]:0"),
        (kinds.BIND, "localhost:65535", "localhost:65535"),
        (kinds.FLAG, "ON", True),
        (kinds.FLAG, "0", False),
        (kinds.WORDS, " a, b ,,c", ("a", "b", "c")),
        (kinds.WORDS, "", ()),
        (kinds.LABELS, "os=linux, zone=a=b", {"os": "linux", "zone": "a=b"}),
        (kinds.UIDS, "900000-900999", range(900_000, 901_000)),
        (kinds.URLS, "https://host:1/base/", "https://host:1/base"),
        (kinds.URLS, "http://a:1/, http://b:2", "http://a:1,http://b:2"),
    ],
)
def test_value_is_read(kind: kinds.Kind[object], text: str, value: object) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "detail"),
    [
        (MINUTES.parse, "60", '"60" is not a duration such as "90s"'),
        (MINUTES.parse, "1h 2m", '"1h 2m" is not a duration'),
        (MINUTES.parse, "٣s", '"٣s" is not a duration'),
        (MINUTES.parse, "1ms", "1ms is out of 1s..2h"),
        (MINUTES.parse, "3h", "3h is out of 1s..2h"),
        (MINUTES.parse, "9" * 400 + "d", f'"{"9" * 77}..." is longer than a hundred'),
        (kinds.BIND.parse, "8640", "'8640' is not of the form HOST:PORT"),
        (kinds.BIND.parse, "::1:80", "'::1:80' is not of the form HOST:PORT"),
        (kinds.BIND.parse, "host:65536", "'host:65536': the port must be in 0..65535"),
        (kinds.FLAG.parse, "maybe", "'maybe' is neither true nor false"),
        (kinds.LABELS.parse, "os", "'os' is not of the form key=value"),
        (kinds.UIDS.parse, "0-5", "'0-5': the first must be above 0"),
        (kinds.UIDS.parse, "9-5", "'9-5': the first must be above 0"),
        (kinds.UIDS.parse, "1000", "'1000' is not of the form FIRST-LAST"),
        (kinds.URLS.parse, "host:80", "'host:80' does not start with http://"),
        (kinds.URLS.parse, "http://a:1,", "'' does not start with http://"),
        (kinds.TEXT.parse, "", "must not be empty"),
        (kinds.choice("a", "b").parse, "c", "'c' is not one of a, b"),
    ],
)
def test_wrong_value_is_refused_and_quoted(
    parse: Callable[[str], object], text: str, detail: str
) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(detail)):
        parse(text)


def test_path_of_a_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert kinds.PATH.parse("~/key") == "/home/ada/key"
    assert kinds.PATH.parse("-") == "-"
