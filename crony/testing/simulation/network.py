"""The network: requests and answers are lost, late and repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from crony import errors
from crony.testing.simulation.faults import Gone
from crony.testing.simulation.node import Node
from crony.testing.simulation.world import Actor, World

Answer = TypeVar("Answer")
Took = Callable[[Answer], None]
Failed = Callable[[Exception], None]
#: What a node does with a request: it answers, fails, or does so later.
Serve = Callable[[Node, Took[Answer], Failed], None]


@dataclass(slots=True)
class Loss:
    """How often something happens to a message."""

    lost: float = 0.0
    late: float = 0.0
    repeated: float = 0.0
    #: The longest delay, in s.
    longest: float = 10.0


class Network:
    """Carries requests to some node, and what it answers back."""

    def __init__(self, world: World, nodes: Sequence[Node], loss: Loss) -> None:
        self._world = world
        self._nodes = nodes
        self._loss = loss

    def ask(
        self,
        sender: Actor,
        serve: Serve[Answer],
        *,
        took: Took[Answer],
        failed: Failed,
        timeout: timedelta,
    ) -> None:
        """Send a request; the sender hears of it once, in this life of his."""
        world = self._world
        call = _Call(sender, took, failed)
        sender.later(timeout, lambda: call.fail(TimeoutError("no answer")))
        copies = 2 if world.happens(self._loss.repeated) else 1
        for copy in range(copies):
            if world.happens(self._loss.lost):
                continue
            # What a repeated request is answered reaches nobody.
            to = call if copy == 0 else _Call[Answer](sender, _ignore, _ignore)
            self._send(self._somebody(), sender, serve, to)

    def _send(
        self, node: Node, sender: Actor, serve: Serve[Answer], call: _Call[Answer]
    ) -> None:
        self._world.after(self._way(), lambda: self._arrive(node, sender, serve, call))

    @property
    def answers(self) -> bool:
        """Whether any node is there."""
        return any(node.alive for node in self._nodes)

    def _somebody(self) -> Node:
        up = [node for node in self._nodes if node.alive]
        return self._world.chance.choice(up or list(self._nodes))

    def _way(self) -> timedelta:
        if self._world.happens(self._loss.late):
            return self._world.between(0.1, self._loss.longest)
        return self._world.between(0.001, 0.015)

    def _arrive(
        self, node: Node, sender: Actor, serve: Serve[Answer], call: _Call[Answer]
    ) -> None:
        if not node.alive:
            self._back(sender, lambda: call.fail(ConnectionError("nobody listens")))
            return
        # One that is suspended takes it when it goes on.
        node.later(timedelta(), lambda: self._serve(node, sender, serve, call))

    def _serve(
        self, node: Node, sender: Actor, serve: Serve[Answer], call: _Call[Answer]
    ) -> None:
        def took(answer: Answer) -> None:
            if not self._world.happens(self._loss.lost):
                self._back(sender, lambda: call.take(answer))

        def failed(why: Exception) -> None:
            self._back(sender, lambda: call.fail(why))

        try:
            serve(node, took, failed)
        except Gone:
            failed(ConnectionError("the service is gone"))
        except errors.CronyError as exc:
            failed(exc)

    def _back(self, sender: Actor, action: Callable[[], None]) -> None:
        sender.later(self._way(), action)


def _ignore(_: object) -> None:
    """Hear nothing."""


class _Call(Generic[Answer]):
    """A request that is out: the first answer ends it."""

    def __init__(self, sender: Actor, took: Took[Answer], failed: Failed) -> None:
        self._sender = sender
        self._life = sender.life
        self._took = took
        self._failed = failed
        self._over = False

    def take(self, answer: Answer) -> None:
        if not self._is_over():
            self._over = True
            self._took(answer)

    def fail(self, why: Exception) -> None:
        if not self._is_over():
            self._over = True
            self._failed(why)

    def _is_over(self) -> bool:
        # Whoever asked in an earlier life hears nothing of it.
        return self._over or self._sender.life != self._life
