"""What is kept under which key.

All of a tenant's keys begin with ``crony:{<tenant>}:``, so that a cluster has them in
one slot and a script may touch any of them; a script is given that beginning as its
one key. What is nobody's has a space of its own, ``crony:{:<space>}:``, which no
tenant's name can take. Records are MessagePack: a document of
``documents.document_out``, unless said otherwise; "by text" is a sorted set whose
scores are all 0, so that its members are in the order of their bytes. In such members
instants are of a fixed width (``base.lua``, ``sortable``).

Of a tenant, after its prefix:

- ``tenant``: the tenant itself, a hash (``tenants.lua``); ``leaving``, ``departures``:
  its removal.
- ``groups``, ``profiles``, ``webhooks``, ``workers``: a hash of records, by name (of
  workers: by id), with ``…:names`` by text; ``workernames``: a hash of ids, by name.
- ``seen``: workers that are not noted as lost, by the instant they were seen.
- ``groups:uncarried``, ``groups:profile:<profile>``: which groups.
- ``webhooks:…``, ``deliveries:…``: deliveries and their order (``webhooks.lua``).
- ``keys``, ``keys:…``: see ``keys.lua``.
- ``answers``: a hash of records by idempotency key; ``answers:claimed``: by instant.
- ``log:<run>:<token>``, ``…:head``, ``…:rest``: output (``logs.lua``).
- ``queues``, ``lanes:<queue>``, ``now:…``, ``near:…``, ``nearing``, ``coming``,
  ``offered``: what may be leased (``lines.lua``). ``waiting``: runs that are to be
  promoted, by the instant they are available at.
- ``follow_ups``: hooks that are owed, by instant; ``owed``: how many of each run
  (``owing.lua``).
- ``sessions:<worker>``: those that were replaced.
- ``run:<id>``: a hash. ``run``: the live record (``runs.lua``); ``result``: JSON text;
  ``grant:<token>``: the worker that was given it; ``attempt:<token>``: one that ended.
- ``schedule:<id>``: a hash. ``live``: the record (``schedules.lua``), while it is not
  deleted; ``definition:<revision>`` and ``requires:<revision>``: JSON text;
  ``outcome``: how its newest run that executed has ended. ``schedule:<id>:pruned``:
  what is left of pruned runs (``pruning.lua``). ``limits``: a hash of how many runs
  of each may be held, which outlives it.
- ``policies``: a hash of JSON texts, by their digest.
- ``events``: a stream; an entry's id is the event's sequence. ``events:of:<schedule>``:
  those of a schedule; ``events:last``, ``events:forgotten``: sequences.
- ``tally``: a hash; how many live runs there are by queue and state, and schedules by
  state.
- The indexes of runs and schedules: ``marks`` in ``runs.lua`` and ``schedules.lua`` is
  the one place that says of which.

Without a tenant: ``tenants`` (``names``, by text), ``digests`` (a hash: the digest of a
key's secret, to the tenant and id of the key), ``duties``, ``schema``.
"""

from __future__ import annotations

#: The beginning of all keys.
ROOT = "crony:"
#: What makes every instant a number of at most ``_WIDTH`` digits: that of the year 1.
_SHIFT = 62_135_596_800_000
_WIDTH = 15

TENANTS, DIGESTS, DUTIES, SCHEMA = ":tenants", ":digests", ":duties", ":schema"


def prefix(tenant: str) -> str:
    """Return what a tenant's keys begin with, or those of a space without one."""
    return f"{ROOT}{{{tenant}}}:"


def sortable(instant: int) -> str:
    """Return milliseconds as text of a fixed width, in the order of instants."""
    return f"{instant + _SHIFT:0{_WIDTH}d}"
