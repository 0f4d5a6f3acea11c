"""Run config from a spec: every simple field of a `Domain`'s spec becomes a config field with the Domain's value as its default."""

from dataclasses import fields, replace
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

import dagster as dg

Spec = TypeVar("Spec")
SCALARS: dict[Any, Any] = {int: int, float: float, bool: bool, str: str}


def config_schema(spec: object) -> dict[str, dg.Field]:
    """Field name -> Dagster config field. A `Literal` offers its choices; fields of other types stay what the Domain says."""
    hints = get_type_hints(type(spec))
    schema = {}
    for item in fields(cast(Any, spec)):
        kind = hints[item.name]
        default = getattr(spec, item.name)
        if get_origin(kind) is Literal:
            choices = dg.Enum(f"{type(spec).__name__}_{item.name}", [dg.EnumValue(choice) for choice in get_args(kind)])
            schema[item.name] = dg.Field(choices, default_value=default, is_required=False)
        elif kind in SCALARS:
            schema[item.name] = dg.Field(SCALARS[kind], default_value=default, is_required=False)
    return schema


def configured(spec: Spec, context: dg.AssetExecutionContext) -> Spec:
    """The Domain's spec with this run's config in place of the defaults."""
    changed: Spec = replace(cast(Any, spec), **context.op_execution_context.op_config)
    return changed
