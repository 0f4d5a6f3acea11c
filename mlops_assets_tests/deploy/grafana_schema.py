"""What a dashboard says that Grafana would not understand, by Grafana's own schema: its Foundation SDK for Grafana 11.6."""

import enum
import json
import types
import typing
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

register_default_plugins()


def problems(dashboard: dict[str, Any]) -> list[str]:
    """Where the dashboard has a field that the schema does not, or a value of another type; none if it fits."""
    read = Dashboard.from_json(json.loads(json.dumps(dashboard)))
    return [*_lost(dashboard, json.loads(JSONEncoder().encode(read)), "dashboard"), *_misfits(read, "dashboard")]


def _lost(given: Any, understood: Any, where: str) -> Iterator[str]:
    """What does not come back from the schema's own types."""
    if isinstance(given, dict) and isinstance(understood, dict):
        for key, value in given.items():
            if key in understood:
                yield from _lost(value, understood[key], f"{where}.{key}")
            else:
                yield f"{where}.{key} is no field of the schema"
    elif isinstance(given, list) and isinstance(understood, list) and len(given) == len(understood):
        for number, (one, other) in enumerate(zip(given, understood, strict=True)):
            yield from _lost(one, other, f"{where}[{number}]")
    elif given != understood:
        yield f"{where} is {given!r}, read as {understood!r}"


def _misfits(value: Any, where: str) -> Iterator[str]:
    """Attributes of a type other than their annotation says; the types that the SDK makes do not check it themselves."""
    module = type(value).__module__
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _misfits(item, f"{where}[{number}]")
    elif module.startswith("grafana_foundation_sdk.models") and not isinstance(value, enum.Enum):
        for name, kind in typing.get_type_hints(type(value)).items():
            attribute = getattr(value, name, None)
            if not _fits(attribute, kind):
                yield f"{where}.{name} is {attribute!r}, not {kind}"
            yield from _misfits(attribute, f"{where}.{name}")


def _fits(value: Any, kind: Any) -> bool:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is list:
        return isinstance(value, list) and all(_fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, arguments[1]) for item in value.values())
    if kind in (Any, object):
        return True
    if isinstance(value, dict) and hasattr(kind, "from_json"):  # the SDK leaves some values as they came
        read = kind.from_json(value)
        return not [*_lost(value, json.loads(JSONEncoder().encode(read)), ""), *_misfits(read, "")]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return value in {member.value for member in kind}
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)
