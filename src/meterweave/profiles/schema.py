"""The JSON Schema of profiles, for editors: made from the table of the language, so that it cannot tell another story.

It knows less than the checker: which quantities, units and events there are is left to ``meterweave profile check``.
"""

from __future__ import annotations

from typing import Any

from meterweave.profiles.language import PROTOCOLS, WHOLE, Key, Kind, sections

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Json = dict[str, Any]

_INTEGER_TEXT = {"type": "string", "pattern": "^[+-]?([0-9]+|0[xX][0-9a-fA-F]+|[0-9a-fA-F]+[hH])$"}
_PLAIN: dict[Kind, Json] = {
    Kind.WORDS: {"type": ["string", "number", "boolean"]},
    Kind.NAME: {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,63}$"},
    Kind.SCALE: {"type": ["number", "string"]},
    Kind.HEX: {"type": ["string", "number"]},
    Kind.TRUTH: {"enum": [True, False, "yes", "no"]},
    Kind.QUANTITY: {"type": "string"},
    Kind.EVENT: {"type": "string"},
    Kind.UNIT: {"type": ["string", "number"]},
    Kind.PATH: {"type": ["string", "number"]},
    Kind.TOPIC: {"type": "string"},
}


def schema() -> Json:
    """The whole schema: one definition for every section and protocol, chosen by the key ``protocol``."""
    found: Json = {
        "$schema": DRAFT,
        "title": "Meterweave device profile",
        "type": "object",
        "required": ["protocol"],
        "properties": {"protocol": {"enum": list(PROTOCOLS)}},
        "allOf": [_branch(protocol) for protocol in PROTOCOLS],
        "$defs": {},
    }
    for protocol in PROTOCOLS:
        for name in sections():
            found["$defs"][_title(name, protocol)] = _section(name, protocol)
    return found


def _branch(protocol: str) -> Json:
    return {
        "if": {"properties": {"protocol": {"const": protocol}}},
        "then": {"$ref": f"#/$defs/{_title(WHOLE, protocol)}"},
    }


def _title(section: str, protocol: str) -> str:
    return f"{protocol}.{section}"


def _section(name: str, protocol: str) -> Json:
    keys = [key for key in sections()[name].values() if key.applies(protocol)]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [key.name for key in keys if key.needed(protocol)],
        "properties": {key.name: _value(key, protocol) | {"description": key.meaning.en} for key in keys},
    }


def _value(key: Key, protocol: str) -> Json:
    reference = {"$ref": f"#/$defs/{_title(key.inner, protocol)}"}
    if key.kind is Kind.SECTION:
        return reference
    if key.kind is Kind.LIST:
        return {"type": "array", "minItems": 1, "items": reference}
    integer = {"anyOf": [{"type": "integer", "minimum": key.low, "maximum": key.high}, _INTEGER_TEXT]}
    if key.kind is Kind.INTEGERS:
        return {"type": "array", "minItems": 1, "items": integer}
    if key.kind is Kind.INTEGER:
        return integer
    return {"enum": list(key.choices)} if key.kind is Kind.CHOICE else dict(_PLAIN[key.kind])
