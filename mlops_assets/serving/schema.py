"""OpenAPI of the predictions, generated from each TabularDomain's request: types, categories, what may be null, and a working example."""

from collections.abc import Callable, Mapping

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from mlops_assets.domain import FieldType, RequestField, TabularDomain
from mlops_assets.serving.forecast_schema import forecasting_paths
from mlops_assets.serving.predict import RECORDS
from mlops_assets.serving.schema_parts import ERROR_SCHEMA, SECURITY, SECURITY_SCHEMES, SHARE, Schema, answer_of, error_answers
from mlops_assets.serving.systems import Systems

JSON_TYPES: Mapping[FieldType, tuple[str, ...]] = {
    "string": ("string", "number"),  # text that upstreams also give as numbers: identifiers, coordinates
    "boolean": ("boolean",),
    "long": ("integer",),
    "double": ("number",),
}


def openapi_of(app: FastAPI, systems: Systems, max_records: int) -> Callable[[], Schema]:
    """What FastAPI asks for the document: its own routes, and the predictions of every system."""

    def openapi() -> Schema:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            components = document.setdefault("components", {})
            components["securitySchemes"] = SECURITY_SCHEMES
            schemas = components.setdefault("schemas", {})
            schemas["Error"] = ERROR_SCHEMA
            for domain in systems.classifying:
                schemas[_record_name(domain)] = record_schema(domain)
                answer = _native_answer(domain)
                document["paths"][f"/models/{domain.name}/predict"] = {
                    "post": _operation(domain, RECORDS, max_records, answer, "predictions")
                }
            for forecaster in systems.forecasting:
                document["paths"] |= forecasting_paths(forecaster)
            if systems.compatible:
                domain, records = systems.compatible_domain()
                document["paths"]["/predict"] = {"post": _operation(domain, records, max_records, _compatible_answer(domain), "compatible")}
            app.openapi_schema = document
        return app.openapi_schema

    return openapi


def record_schema(domain: TabularDomain) -> Schema:
    """The raw record of a system."""
    return {
        "title": _record_name(domain),
        "description": f"One raw record of {domain.title}. Other fields are refused, because a misspelled one would count as missing.",
        "type": "object",
        "properties": {field.name: _field_schema(field) for field in domain.request},
        "required": [field.name for field in domain.request if field.required],
        "additionalProperties": False,
    }


def _field_schema(field: RequestField) -> Schema:
    may_be_null = field.nullable or not field.required
    types = [*(("string",) if field.categories else JSON_TYPES[field.type]), *(("null",) if may_be_null else ())]
    schema: Schema = {
        "type": types if len(types) > 1 else types[0],
        "description": field.description,
        "examples": [field.example],
    }
    if field.categories:
        schema["enum"] = [*field.categories, *([None] if may_be_null else [])]
    return schema


def _operation(domain: TabularDomain, key: str, max_records: int, answer: Schema, tag: str) -> Schema:
    reference = {"$ref": f"#/components/schemas/{_record_name(domain)}"}
    request = {
        "type": "object",
        "properties": {key: {"type": "array", "items": reference, "minItems": 1, "maxItems": max_records}},
        "required": [key],
        "additionalProperties": False,
    }
    example = {key: [{field.name: field.example for field in domain.request}]}
    refusals = {str(status): answer for status, answer in error_answers(401, 413, 415, 422, 503).items()}
    return {
        "tags": [tag],
        "summary": f"Predict: {domain.title}",
        "description": domain.description,
        "operationId": f"{tag}_{domain.name}",
        "requestBody": {"required": True, "content": {"application/json": {"schema": request, "example": example}}},
        "responses": {"200": {"description": "The predictions.", "content": {"application/json": {"schema": answer}}}, **refusals},
        **SECURITY["openapi_extra"],
    }


def _native_answer(domain: TabularDomain) -> Schema:
    of_classes = {"type": "array", "items": SHARE, "minItems": len(domain.classes), "maxItems": len(domain.classes)}
    label: Schema = {"type": "integer", "enum": sorted(domain.classes)} if domain.classes else {"type": "boolean"}
    return answer_of(
        model={"type": "string", "const": domain.name},
        model_version={"type": "string"},
        predictions={"type": "array", "items": label},
        probabilities={"type": "array", "items": of_classes if domain.classes else SHARE},
    )


def _compatible_answer(domain: TabularDomain) -> Schema:
    label = {"type": "integer", "enum": sorted(domain.classes) or [0, 1]}
    return answer_of(predictions={"type": "array", "items": label}, model_version={"type": "string"})


def _record_name(domain: TabularDomain) -> str:
    return f"{domain.name.title().replace('_', '')}Record"
