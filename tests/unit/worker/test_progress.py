"""Progress: bounded lines of JSON, of which the newest counts."""

import pytest

from crony.model.spoken import Spoken
from crony.worker.progress import ProgressReader


def test_the_newest_value_wins() -> None:
    reader = ProgressReader()
    reader.feed(b'{"percent": 1}\n{"percent": 40, "message": "half"}\n')
    assert reader.newest == Spoken(40, "half")


def test_a_line_may_come_in_pieces() -> None:
    reader = ProgressReader()
    reader.feed(b'{"percent": 4')
    assert reader.newest is None
    reader.feed(b'2, "message": "x"}\n')
    assert reader.newest == Spoken(42, "x")


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1]",
        b'{"percent": 101}',
        b'{"percent": -1}',
        b'{"percent": NaN}',
        b'{"percent": true}',
        b'{"percent": "40"}',
        b'{"percent": 40, "message": 7}',
        b"\xff\xfe",
        b"[" * 50_000,
    ],
)
def test_a_malformed_line_is_counted_and_does_no_harm(line: bytes) -> None:
    reader = ProgressReader()
    reader.feed(b'{"percent": 5}\n' + line + b"\n")
    assert reader.malformed == 1
    assert reader.newest == Spoken(5, "")
    reader.feed(b'{"percent": 6}\n')
    assert reader.newest == Spoken(6, "")


def test_a_line_without_end_is_not_kept() -> None:
    reader = ProgressReader()
    for _ in range(100):
        reader.feed(b"x" * 10_000)
    assert len(reader._buffer) < 200_000
    reader.feed(b'\n{"percent": 7}\n')
    assert reader.newest == Spoken(7, "")
    assert reader.malformed == 1


def test_a_value_that_came_while_one_was_sent_is_not_forgotten() -> None:
    reader = ProgressReader()
    reader.feed(b'{"percent": 1}\n')
    sent = reader.newest
    reader.feed(b'{"percent": 2}\n')
    reader.acknowledge(sent)
    assert reader.newest == Spoken(2, "")
    reader.acknowledge(reader.newest)
    assert reader.newest is None


def test_a_result_of_nothing_is_told_from_no_result() -> None:
    reader = ProgressReader()
    assert not reader.has_result
    reader.feed(b'{"result": null}\n')
    assert reader.has_result
    assert reader.result is None


@pytest.mark.parametrize("value", [b"NaN", b"-Infinity", b"1e999", b"[1, NaN]"])
def test_a_number_that_json_does_not_have_is_no_result(value: bytes) -> None:
    reader = ProgressReader()
    reader.feed(b'{"result": ' + value + b"}\n")
    assert not reader.has_result
    assert reader.malformed == 1


def test_a_message_is_made_fit_to_be_sent() -> None:
    reader = ProgressReader()
    reader.feed(b'{"percent": null, "message": "a\\u0000b\\ud800' + b"x" * 5000)
    reader.feed(b'"}\n')
    assert reader.newest is not None
    assert "\0" not in reader.newest.message
    assert len(reader.newest.message) <= 1024
    reader.newest.message.encode("utf-8")


@pytest.mark.parametrize(
    "value",
    [
        b'"\\ud800"',
        b'{"\\ud800": 1}',
        b'["a\\u0000b"]',
        b'{"a\\u0000b": 1}',
        b"18446744073709551616",
        b"[" * 150 + b"]" * 150,
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_the_service_would_refuse_is_no_result(value: bytes) -> None:
    reader = ProgressReader()
    reader.feed(b'{"result": ' + value + b"}\n")
    assert not reader.has_result
    assert reader.malformed == 1


def test_whatever_the_service_takes_is_a_result() -> None:
    reader = ProgressReader()
    value = '{"a": [1, -2.5, true, null, "\u20ac", {"b": []}]}'
    reader.feed(f'{{"result": {value}}}\n'.encode())
    assert reader.result == {"a": [1, -2.5, True, None, "\u20ac", {"b": []}]}
