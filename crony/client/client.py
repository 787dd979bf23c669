"""The client: every operation of the API, gathered from one class per noun."""

from crony.client.events import Events
from crony.client.groups import Groups
from crony.client.ledger import Ledger
from crony.client.moving import Moving
from crony.client.operations import Operations
from crony.client.runs import Runs
from crony.client.schedules import Schedules
from crony.client.webhooks import Webhooks
from crony.client.workers import Workers


class Client(
    Schedules, Groups, Runs, Ledger, Events, Webhooks, Workers, Moving, Operations
):
    """Speaks to one service with one key.

    ::

        client = Client("http://127.0.0.1:8640", key=key)
        client.create_schedule({"every": "5m", "task": {"command": "date"}})

    A method returns the JSON that the service answered. It raises
    ``errors.Refused`` for a problem that was answered and
    ``errors.ServiceUnreachable`` when there was no answer. What is safe to repeat
    (GET, requests that carry an idempotency key or a token) is repeated a few
    times when the connection breaks. One object is for one thread at a time.
    """
