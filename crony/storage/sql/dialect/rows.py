"""What a statement is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The parameters of a statement, by name.
Row = Mapping[str, Any]
