"""What the runs of a worker weigh together."""

from __future__ import annotations

from crony.worker.sandbox import weight
from crony.worker.sandbox.weight import Weight


def test_they_weigh_as_much_as_processes_of_their_number() -> None:
    written: list[int] = []
    made = Weight(written.append)
    for _ in range(3):
        made.add()
    made.remove()
    # One weighs what its group weighs without it.
    assert written == [2, 3, 2]


def test_beyond_a_few_for_each_core_they_weigh_no_more() -> None:
    written: list[int] = []
    made = Weight(written.append)
    for _ in range(10_000):
        made.add()
    most = max(written)
    assert most % weight._FOR_EACH_CORE == 0
    assert written == list(range(2, most + 1))
    for _ in range(10_000):
        made.remove()
    assert written[-1] == 1


def test_a_host_that_takes_no_weight_keeps_its_runs() -> None:
    def refuse(runs: int) -> None:
        raise OSError(runs)

    made = Weight(refuse)
    made.add()
    made.add()
    made.remove()
