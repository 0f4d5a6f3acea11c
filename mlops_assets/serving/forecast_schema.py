"""OpenAPI of the routes of forecasting systems, in which the id has the system's own name; what `forecast_answers` gives, described."""

from collections.abc import Sequence

from mlops_assets.domain import ForecastDomain
from mlops_assets.serving.schema_parts import SECURITY, SHARE, Schema, answer_of, error_answers
from mlops_assets.serving.series_request import DAYS, HORIZON, HOURS, Span

MOMENT: Schema = {"type": "string", "format": "date-time"}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"]}
FORECAST_HOUR: Schema = {
    "type": "object",
    "properties": {
        "timestamp": MOMENT | {"description": "The hour that is forecast, its first moment; the value is that of its end."},
        "horizon": {"type": "integer", "description": "Hours after the run."},
        **dict.fromkeys(("yhat", "yhat_lower", "yhat_upper"), NUMBER_OR_NULL),
    },
    "required": ["timestamp", "horizon", "yhat", "yhat_lower", "yhat_upper"],
    "additionalProperties": False,
}


def forecasting_paths(domain: ForecastDomain) -> dict[str, Schema]:
    """The routes of a system that forecasts series."""
    path = f"/models/{domain.name}"
    body = {
        "type": "object",
        "properties": {
            HORIZON: {"type": ["integer", "null"], "minimum": 1, "maximum": domain.max_horizon, "default": domain.horizon},
            domain.id_column: _series_id(domain),
        },
        "additionalProperties": False,
    }
    example = {HORIZON: domain.horizon, domain.id_column: None}
    request = {"required": True, "content": {"application/json": {"schema": body, "example": example}}}
    forecast = _described(domain, "forecast", "Forecast", "The forecast.", _forecast_answer(domain), (401, 413, 415, 422, 503))
    history = _described(domain, "history", "Stored hours", "The series.", _history_answer(domain), (401, 422, 503))
    accuracy = _described(domain, "accuracy", "Past forecasts", "The scores.", _accuracy_answer(domain), (401, 422, 503))
    return {
        f"{path}/forecast": {"post": {**forecast, "description": domain.description, "requestBody": request}},
        f"{path}/history": {"get": {**history, "parameters": _parameters(domain, HOURS, "every series")}},
        f"{path}/accuracy": {"get": {**accuracy, "parameters": _parameters(domain, DAYS, domain.total)}},
    }


def _described(domain: ForecastDomain, kind: str, what: str, answered: str, answer: Schema, refusals: Sequence[int]) -> Schema:
    return {
        "tags": ["forecasts"],
        "summary": f"{what}: {domain.title}",
        "operationId": f"{kind}_{domain.name}",
        "responses": {
            "200": {"description": answered, "content": {"application/json": {"schema": answer}}},
            **{str(status): refusal for status, refusal in error_answers(*refusals).items()},
        },
        **SECURITY["openapi_extra"],
    }


def _parameters(domain: ForecastDomain, span: Span, otherwise: str) -> list[Schema]:
    number = {"type": "integer", "minimum": 1, "maximum": span.most, "default": span.default}
    which = f"The id of a series; empty: {domain.total}; without it: {otherwise}."
    return [
        {"name": span.name, "in": "query", "description": f"How many {span.name} back.", "schema": number},
        {"name": domain.id_column, "in": "query", "description": which, "schema": {"type": "string"}},
    ]


def _series_id(domain: ForecastDomain) -> Schema:
    return {"type": ["string", "null"], "description": f"The id of a series; null: {domain.total}."}


def _forecast_answer(domain: ForecastDomain) -> Schema:
    return answer_of(
        model={"type": "string", "const": domain.name},
        model_version={"type": "string"},
        created_at=MOMENT | {"description": "The running hour; horizons count from it."},
        as_of=MOMENT | {"description": "The newest complete hour that is stored."},
        **{domain.id_column: _series_id(domain)},
        name={"type": "string"},
        method={"type": "string", "description": "What really forecast the total."},
        reason={"type": "string", "description": "Why it is not the model's own method; empty if it is."},
        train_points={"type": "integer", "description": "Observed hours of the total that counted."},
        coverage=SHARE | {"description": "Share of values that the interval is to hold."},
        unit={"type": "string"},
        forecast=_list_of(FORECAST_HOUR),
    )


def _history_answer(domain: ForecastDomain) -> Schema:
    published = answer_of(created_at=MOMENT, model_version={"type": "string"})
    series = answer_of(
        **{domain.id_column: _series_id(domain)},
        name={"type": "string"},
        total=NUMBER_OR_NULL | {"description": "The most that the value can be; null if that is not known."},
        timestamps=_list_of(MOMENT),
        values=_list_of(NUMBER_OR_NULL),
        state=_list_of({"type": "string", "enum": ["observed", "gap", "frozen"]}),
        published=_list_of(FORECAST_HOUR),
    )
    return answer_of(
        model={"type": "string", "const": domain.name},
        as_of=MOMENT,
        unit={"type": "string"},
        published={"anyOf": [published, {"type": "null"}], "description": "The forecasts that were published last."},
        series=_list_of(series),
    )


def _accuracy_answer(domain: ForecastDomain) -> Schema:
    scores = {"points": {"type": "integer"}, "mae": NUMBER_OR_NULL, "within": {"type": ["number", "null"], "minimum": 0, "maximum": 1}}
    backtest = answer_of(
        run_at=MOMENT,
        method={"type": "string"},
        model_desc={"type": "string"},
        model_version={"type": "string"},
        train_points={"type": "integer"},
        mae=NUMBER_OR_NULL,
        mase=NUMBER_OR_NULL,
        cutoffs={"type": "integer"},
    )
    return answer_of(
        model={"type": "string", "const": domain.name},
        **{domain.id_column: _series_id(domain)},
        name={"type": "string"},
        unit={"type": "string"},
        coverage=SHARE,
        **scores,
        by_day=_list_of(answer_of(day={"type": "string", "format": "date"}, **scores)),
        by_horizon=_list_of(answer_of(horizon={"type": "integer"}, **scores)),
        backtests=_list_of(backtest),
    )


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}
