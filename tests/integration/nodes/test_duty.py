"""The duty to tick goes from node to node, whatever becomes of the one that has it."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

from crony.scheduler.ticker import PROLONG, TTL
from tests.integration.nodes.pair import Pair, Watch

#: Within this another ticks; a busy machine may need more.
HANDED_OVER = timedelta(seconds=2)
_SLACK = timedelta(milliseconds=500)


def test_the_duty_to_tick_is_handed_over_when_its_holder_stands_still_dies_or_ends(
    both: Pair, watch: Watch
) -> None:
    first, second = both.nodes

    os.killpg(first.process.pid, signal.SIGSTOP)
    try:
        stopped_at = watch.now()
        assert watch.after(stopped_at) - stopped_at < HANDED_OVER + _SLACK
    finally:
        os.killpg(first.process.pid, signal.SIGCONT)
    again_at = watch.now()
    # The first one stands by now: the duty is prolonged as often as one prolongs it.
    watch.after(again_at + TTL)
    assert min(watch.gaps(again_at)) > PROLONG / 2

    second.kill()
    killed_at = watch.now()
    assert watch.after(killed_at) - killed_at < HANDED_OVER + _SLACK

    both.revive()
    began_at = watch.now()
    assert first.stop() == 0
    watch.after(watch.now() + PROLONG)
    longest = max(watch.gaps(began_at))
    # At once, where it can be told: sooner than when it runs out.
    assert longest < (TTL - PROLONG / 5 if both.notifies else HANDED_OVER + _SLACK)
