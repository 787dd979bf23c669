"""Output is bounded: the first part and the newest stay, the rest is counted."""

from hypothesis import given
from hypothesis import strategies as st

from crony.worker.output import Output


def text_of(output: Output, stream: str) -> bytes:
    """Return what is kept of a stream, without what was dropped."""
    return b"".join(bytes(p.data) for p in output.rest() if p.stream == stream)


def test_what_is_small_is_kept_as_it_came() -> None:
    output = Output(bound=1 << 20, part=64 << 10)
    output.write("stdout", b"one ")
    output.write("stderr", b"oops")
    output.write("stdout", b"two")
    assert text_of(output, "stdout") == b"one two"
    assert text_of(output, "stderr") == b"oops"
    assert [p.stream for p in output.rest()] == ["stdout", "stderr", "stdout"]


def test_neighbouring_writes_become_one_piece() -> None:
    output = Output(bound=1 << 20, part=64 << 10)
    for _ in range(100):
        output.write("stdout", b"line\n")
    assert len(output.rest()) == 1


def test_the_first_part_and_the_newest_stay() -> None:
    output = Output(bound=4000, part=1000)
    output.write("stdout", b"a" * 1000)
    output.write("stdout", b"b" * 100_000)
    output.write("stdout", b"c" * 500)
    kept = text_of(output, "stdout")
    assert kept.startswith(b"a" * 1000)
    assert kept.endswith(b"c" * 500)
    assert len(kept) <= 4000


def test_what_is_dropped_is_counted_with_the_next_piece() -> None:
    output = Output(bound=4000, part=1000)
    output.write("stdout", b"x" * 50_000)
    pieces = output.rest()
    expected = 0
    for piece in pieces:
        assert piece.offset == expected + piece.dropped
        expected = piece.offset + len(piece.data)
    assert expected == 50_000
    assert sum(piece.dropped for piece in pieces) > 0


def test_what_was_taken_and_not_accepted_is_sent_again() -> None:
    output = Output(bound=1 << 20, part=64 << 10)
    output.write("stdout", b"once")
    assert [bytes(p.data) for p in output.take(1 << 20)] == [b"once"]
    output.write("stdout", b" more")
    output.settle(accepted=False)
    assert text_of(output, "stdout") == b"once more"


def test_what_was_accepted_is_forgotten() -> None:
    output = Output(bound=1 << 20, part=64 << 10)
    output.write("stdout", b"once")
    output.take(1 << 20)
    output.settle(accepted=True)
    assert output.rest() == ()
    assert not output.waiting()
    assert output.accepted == 4


def test_what_is_on_its_way_is_part_of_the_rest() -> None:
    output = Output(bound=1 << 20, part=64 << 10)
    output.write("stdout", b"sent")
    output.take(1 << 20)
    output.write("stdout", b" and not")
    assert text_of(output, "stdout") == b"sent and not"


def test_changing_streams_with_each_byte_costs_no_more_memory() -> None:
    output = Output(bound=64 << 10, part=1 << 10)
    for _ in range(50_000):
        output.write("stdout", b"o")
        output.write("stderr", b"e")
    assert len(output.rest()) < 2_000


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["stdout", "stderr"]),
            st.integers(1, 3000),
            st.sampled_from(["keep", "accept", "refuse"]),
        ),
        max_size=60,
    )
)
def test_every_byte_is_sent_waiting_or_counted(
    steps: list[tuple[str, int, str]],
) -> None:
    output = Output(bound=8000, part=1000)
    arrived: dict[str, int] = {"stdout": 0, "stderr": 0}
    written = dict(arrived)
    for stream, size, then in steps:
        output.write(stream, bytes(size))
        written[stream] += size
        if then == "keep":
            continue
        for piece in output.take(2000):
            if then == "accept":
                # Nothing is repeated, and what is missing is what was counted.
                assert piece.offset == arrived[piece.stream] + piece.dropped
                arrived[piece.stream] = piece.offset + len(piece.data)
        output.settle(accepted=then == "accept")
    for piece in output.rest():
        assert piece.offset == arrived[piece.stream] + piece.dropped
        arrived[piece.stream] = piece.offset + len(piece.data)
    assert sum(len(p.data) for p in output.rest()) <= 8000 + 2000
    for stream, size in written.items():
        assert arrived[stream] <= size
