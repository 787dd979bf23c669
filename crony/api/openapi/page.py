"""The reference page of the API, from the same document that the service answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from crony.api.openapi.document import document

#: Parsed from our own document, so of whatever form that has.
Node: TypeAlias = Mapping[str, Any]

NOTE = "<!-- Written by `python -m crony.api.openapi`. -->"

_CONVENTIONS = """\
JSON in and out. Instants are RFC 3339, out always UTC with milliseconds; durations are
strings such as `"1h30m"`, or ISO 8601. `Authorization: Bearer <key>` goes with every
call that needs a key. `{schedule}` is a schedule's id or its name.

- **Faults**: every refusal is a problem (RFC 9457); see [the types](problems.md). All
  faults of a body come at once, each with a JSON pointer.
- **Lists**: `limit` and `cursor` in, `items` and `next` out, with a `Link` header.
- **Concurrency**: `ETag` is the revision; `If-Match` makes a write insist on it,
  `If-None-Match: *` makes a PUT create only.
- **Repeats**: `Idempotency-Key` on a POST that creates is answered as the first time
  for 24 h; a secret is never repeated.
- **Tenants**: an admin names one with `X-Crony-Tenant`; another tenant's resource is
  not found.
- **Bounds**: a body has at most 1 MiB (`/reports`,
  `/schedules:batch` and `/import`: 16 MiB).

The same in a form for machines: `GET /openapi.json`.
"""


def page() -> str:
    """Return the page as Markdown."""
    said: Node = json.loads(document())
    parts = ["# The HTTP API", "", NOTE, "", _CONVENTIONS]
    for tag in said["tags"]:
        parts += [f"## {tag['name'].capitalize()}", ""]
        for path, item in said["paths"].items():
            for method, operation in item.items():
                if tag["name"] in operation["tags"]:
                    parts += _operation(method, path, operation)
    parts += ["## Bodies", ""]
    schemas: Node = said["components"]["schemas"]
    for name in sorted(schemas):
        if name.endswith(("Body", "Task", "Request", "Item")):
            parts += _schema(name, schemas[name])
    return "\n".join(parts).rstrip() + "\n"


def _operation(method: str, path: str, operation: Node) -> list[str]:
    lines = [f"### `{method.upper()} {path}`", ""]
    lines += [f"{operation['summary']}. {operation['description']}", ""]
    query = [p for p in operation["parameters"] if p["in"] == "query"]
    if query:
        lines += ["| parameter | meaning | values |", "| --- | --- | --- |"]
        lines += [
            f"| `{p['name']}` | {p['description']} | {_values(p['schema'])} |"
            for p in query
        ]
        lines.append("")
    body = operation.get("requestBody", {}).get("content", {})
    for media, content in list(body.items())[:1]:
        shown = _link(content["schema"]) if "$ref" in content["schema"] else media
        lines += [f"Body: {shown}", ""]
        if "example" in content:
            shown = json.dumps(content["example"], indent=2, ensure_ascii=False)
            lines += ["```json", shown, "```", ""]
    lines += [_answers(operation["responses"]), ""]
    return lines


def _answers(responses: Node) -> str:
    done = [status for status in responses if int(status) < 400]
    refused = [status for status in responses if int(status) >= 400]
    return f"Answers {', '.join(done)}; refuses with {', '.join(refused)}."


def _schema(name: str, schema: Node) -> list[str]:
    lines = [f"### {name}", ""]
    if "description" in schema:
        lines += [schema["description"], ""]
    if not schema.get("properties"):
        return lines
    lines += ["| member | values | default |", "| --- | --- | --- |"]
    required = schema.get("required", [])
    for member, value in schema.get("properties", {}).items():
        default = "required" if member in required else _default(value)
        lines.append(f"| `{member}` | {_values(value)} | {default} |")
    return [*lines, ""]


def _default(schema: Node) -> str:
    if "default" not in schema:
        return ""
    return f"`{json.dumps(schema['default'])}`"


def _link(schema: Node) -> str:
    name = str(schema["$ref"]).rsplit("/", 1)[-1]
    known: dict[str, str] = {
        "SchedulePatch": "ScheduleBody",
        "ScheduleReplacement": "ScheduleBody",
    }
    shown = known.get(name, name)
    if shown.endswith("Body"):
        return f"[{name}](#{shown.lower()})"
    return name


def _values(schema: Node) -> str:
    """Return in a few words what a schema admits."""
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[-1])
    for choice in ("anyOf", "oneOf"):
        if choice in schema and "type" not in schema:
            return " or ".join(dict.fromkeys(_values(s) for s in schema[choice]))
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    kind = str(schema.get("type", "any JSON"))
    if schema.get("format"):
        kind = str(schema["format"]).removeprefix("crony-")
    if kind == "array":
        kind = f"array of {_values(schema.get('items', {}))}"
    return kind + _bounds(schema)


def _bounds(schema: Node) -> str:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum")
    if least is not None or most is not None:
        return f" {'' if least is None else least}..{'' if most is None else most}"
    longest = schema.get("maxLength", schema.get("maxItems"))
    if schema.get("description"):
        return f" ({schema['description']})"
    return f" (at most {longest})" if longest is not None else ""
