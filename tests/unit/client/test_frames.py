"""Events out of the bytes of a stream, however these are cut."""

from __future__ import annotations

import pytest

from crony.client.frames import frames_in

STREAM = (
    b"retry: 1000\n: open\nid: evt_0\n\n"
    b'id: evt_1\nevent: run.failed\ndata: {"id": "evt_1",\ndata: "n": "\xc3\xbc"}\n\n'
    b":\n\n"
    b'id: evt_2\r\ndata:{"id": "evt_2"}\r\n\r\n'
    b'id: evt_3\ndata: {"id": "evt_3"}\n'
)


@pytest.mark.parametrize("size", [1, 2, 7, len(STREAM)])
def test_events_are_whole_however_the_bytes_are_cut(size: int) -> None:
    chunks = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert list(frames_in(chunks)) == [
        ("evt_0", None),
        ("evt_1", {"id": "evt_1", "n": "ü"}),
        ("evt_2", {"id": "evt_2"}),
    ]


def test_an_event_is_there_before_the_next_bytes_are_asked_for() -> None:
    def chunks() -> object:
        yield b'id: evt_1\ndata: {"id": "evt_1"}\n\n'
        raise AssertionError("more was read than was needed")

    frames = frames_in(chunks())  # type: ignore[arg-type]  # a generator
    assert next(frames) == ("evt_1", {"id": "evt_1"})
