"""The JSON schemas of the OpenAPI document, in a form from which generators make clients that compile.

`msgspec` describes the types exactly. Generators for other languages know less of JSON Schema, so the schemas are
reduced to what all of them read (`tests/clients` builds clients with three of them):

- a tuple is an array of its one type, with its length: no `prefixItems`;
- a map says so: `additionalProperties: true`;
- an enumeration is written where it is used: some languages have one name space for the words of all enumerations;
- an integer that may need more than 32 bits says so;
- a default that is empty, or of one of several types, is left out: without the field, the same holds;
- rules between fields, such as "an error requires a state", are in the descriptions only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from chalicelib.entrypoints.http import responses
from chalicelib.entrypoints.http.errors import CODES
from chalicelib.entrypoints.http.route import Route
from chalicelib.entrypoints.http.strict import closed_types
from chalicelib.model.json_values import Json

COMPONENTS: Final = "#/components"

_MAX_INT32: Final = 2**31 - 1


def schemas_of(routes: Sequence[Route]) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return the schema of each type that routes name (by the type's text), and the components that they refer to."""
    kinds = [
        kind
        for route in routes
        for kind in (*route.answer_types.values(), route.body, route.other_body, *route.media_bodies.values())
        if kind is not None
    ]
    unique = {str(kind): kind for kind in (*kinds, responses.Error)}
    schemas, components = msgspec.json.schema_components(
        tuple(unique.values()), ref_template=f"{COMPONENTS}/schemas/{{name}}"
    )
    for component in components.values():
        if "description" in component:
            component["description"] = " ".join(component["description"].split())
    components["Detail"]["properties"]["code"]["enum"] = [*CODES]
    for name in closed_types(routes):
        components[name]["additionalProperties"] = False
    enums = {
        f"{COMPONENTS}/schemas/{name}": {"type": "string", "enum": components.pop(name)["enum"]}
        for name in [name for name, component in components.items() if "enum" in component]
    }
    named = {kind: plain(schema, enums) for kind, schema in zip(unique, schemas, strict=True)}
    return named, {name: plain(component, enums) for name, component in components.items()}


def plain(schema: Json, enums: Mapping[str, Json] = MappingProxyType({})) -> Any:
    """Return the schema with the reductions that the module describes. `enums`: reference -> enumeration."""
    if isinstance(schema, list):
        return [plain(one, enums) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("$ref") in enums:
        return {**{key: value for key, value in schema.items() if key != "$ref"}, **enums[schema["$ref"]]}
    found = {key: _plain_part(key, value, enums) for key, value in schema.items() if not _is_needless(key, schema)}
    if "prefixItems" in found:
        items = found.pop("prefixItems")
        found["items"] = items[0] if all(one == items[0] for one in items) else {"anyOf": items}
    if found.get("type") == "integer" and found.get("maximum", _MAX_INT32 + 1) > _MAX_INT32:
        found["format"] = "int64"
    is_map = found.get("type") == "object" and "properties" not in found
    if is_map and found.get("additionalProperties", {}) == {}:
        found["additionalProperties"] = True
    return found


def _plain_part(key: str, value: Json, enums: Mapping[str, Json]) -> Json:
    """Return a part of a schema. The values of `properties` are schemas, even if they are named like keywords."""
    if key == "properties":
        return {name: plain(one, enums) for name, one in value.items()}
    return value if key in ("enum", "const", "default", "examples") else plain(value, enums)


def _is_needless(key: str, schema: dict[str, Json]) -> bool:
    return key == "default" and (not schema["default"] or "anyOf" in schema)
