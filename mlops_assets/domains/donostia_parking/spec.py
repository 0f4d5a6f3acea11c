"""Donostia parking as a `ForecastDomain`: the tables, the candidates and the gates. Declarations only.

Times are UTC. A series is a car park, identified by the feed's `noteId`, or the city: no id.
"""

from mlops_assets.domain import Backtest, Column, ForecastDomain, Gates, Hourly, Method, RequestField, Table

CADENCE = Hourly(start="2022-01-01T00", window=120 * 24)
"""Four months: a feed that has stood still for weeks leaves nothing to learn from in less."""
RECENT = {"history_hours": 28 * 24}
"""For methods whose cost grows with their history, and that gain nothing from more of it."""

HOUR = Column("hour", "timestamp", "The hour, its first moment.")

RAW_PARKING = Table(
    name="raw_parking",
    description="Every reading of every car park, as the feed gave it.",
    columns=(
        Column("timestamp", "timestamp", "When the reading was captured."),
        Column("parking_id", "string", "The car park's noteId."),
        Column("name", "string", "What it was called then."),
        Column("free", "long", "Free spaces as reported, negative ones too; null where the feed has none."),
        Column("total", "long", "Spaces for rotation."),
        Column("lat", "double", "Latitude, degrees (EPSG:4326)."),
        Column("lon", "double", "Longitude, degrees (EPSG:4326)."),
        HOUR,
    ),
    partition_column="hour",
    mode="replace",
    day_column="timestamp",
)
REJECTS = Table(
    name="parking_rejects",
    description="Features of accepted readings that are no car parks, each with its reason.",
    columns=(
        Column("timestamp", "timestamp", "When the reading was captured."),
        Column("reading", "string", "The reading's name in the lake."),
        Column("feature_number", "long", "Position in the reading, from 0."),
        Column("reason", "string", "Why it cannot be used."),
        Column("feature", "string", "The feature as received, JSON."),
        HOUR,
    ),
    partition_column="hour",
    mode="replace",
    day_column="timestamp",
)
HOURLY_PARKING = Table(
    name="hourly_parking",
    description="The last reading of each car park in the hour, and their sum, the city. An hour without a reading has no rows.",
    columns=(
        HOUR,
        Column("parking_id", "string", "The car park's noteId; null: the city."),
        Column("name", "string", "What it is called."),
        Column("free", "long", "Free spaces, a negative count as 0."),
        Column("total", "long", "Spaces for rotation."),
        Column("readings", "long", "Readings in the hour."),
        Column("parkings", "long", "Car parks that the row stands for."),
        Column("clipped", "long", "Of them, those whose last count was negative."),
    ),
    partition_column="hour",
    mode="replace",
    day_column="hour",
)
CREATED_AT = Column("created_at", "timestamp", "The hour of the run; everything forecast lies after it.")
MODEL_VERSION = Column("model_version", "string", "The registered version that forecast.")
PARKING_ID = Column("parking_id", "string", "The car park's noteId; null: the city.")
FORECAST = (
    Column("timestamp", "timestamp", "The hour that is forecast."),
    Column("yhat", "double", "Forecast of the free spaces at its end."),
    Column("yhat_lower", "double", "Lower end of the interval."),
    Column("yhat_upper", "double", "Upper end of the interval."),
    Column("horizon", "long", "Hours after created_at."),
    PARKING_ID,
    MODEL_VERSION,
)
MODEL_METRICS = Table(
    name="model_metrics",
    description="What forecast in each run hour, and how well it does in the back-test of the city's series.",
    columns=(
        Column("run_at", "timestamp", "The hour of the run."),
        Column("train_points", "long", "Observed hours of the city that it is fitted on; filled and frozen ones do not count."),
        Column("mae", "double", "Mean absolute error over all cutoffs, spaces; null where the history allows no back-test."),
        Column("model_desc", "string", "The method, and why it is not another one."),
        Column("mase", "double", "The same, divided by the error of repeating the day before, on the hours before each cutoff."),
        Column("cutoffs", "long", "Rolling origins that were scored."),
        Column("method", "string", "The method."),
        MODEL_VERSION,
    ),
    partition_column="run_at",
    partition_offset_hours=1,
    mode="replace",
    day_column="run_at",
)
CANDIDATE_METRICS = Table(
    name="candidate_metrics",
    description="Every candidate in each run hour, on the same cutoffs of the city's series.",
    columns=(
        Column("run_at", "timestamp", "The hour of the run."),
        Column("method", "string", "The candidate."),
        Column("mae", "double", "Mean absolute error over all cutoffs, spaces."),
        Column("mase", "double", "The same, divided by the error of repeating the day before, on the hours before each cutoff."),
        Column("cutoffs", "long", "Rolling origins that were scored."),
        Column("points", "long", "Hours that were scored."),
        Column("is_winner", "boolean", "Whether it is the challenger."),
    ),
    partition_column="run_at",
    partition_offset_hours=1,
    mode="replace",
    day_column="run_at",
)
PREDICTIONS = Table(
    name="predictions",
    description="The forecasts of each run hour: the city and every car park, with intervals.",
    columns=(CREATED_AT, *FORECAST),
    partition_column="created_at",
    partition_offset_hours=1,
    mode="replace",
    day_column="created_at",
)
FORECAST_ACCURACY = Table(
    name="forecast_accuracy",
    description="Every forecast that was published for an hour, against what then came; nothing where nothing was observed.",
    columns=(
        CREATED_AT,
        *FORECAST,
        Column("actual", "double", "Free spaces that were then observed."),
        Column("absolute_error", "double", "Distance between the two, spaces."),
        Column("is_within", "boolean", "Whether the interval held it."),
    ),
    partition_column="timestamp",
    mode="replace",
    day_column="timestamp",
)

DONOSTIA_PARKING = ForecastDomain(
    name="donostia_parking",
    title="Donostia parking",
    description="Free spaces in the public car parks of Donostia / San Sebastián in the next hours.",
    cadence=CADENCE,
    id_column="parking_id",
    time_column="hour",
    target="free",
    total="the whole city",
    unit="free spaces",
    request=(
        RequestField("hour", "string", "The hour (UTC, ISO 8601), its first moment.", "2022-02-01T08:00:00Z", required=True),
        RequestField("parking_id", "string", "The car park's noteId; null: the city.", "8D2B...", required=True, nullable=True),
        RequestField("free", "double", "Free spaces in the last reading of the hour.", 129.0, required=True, nullable=True),
    ),
    methods=(
        Method(
            "weekly_profile",
            "Each car park's own week by the local clock, its present deviation fading; the city is their sum.",
            {
                "time_zone": "Europe/Madrid",
                "half_life_days": 20,
                "shrinkage": 0.4,
                "damping": 0.9,
                "day_level": 0.3,
                "stuck_hours": 8,
            },
        ),
        Method("mstl", "MSTL: day and week taken apart, exponential smoothing for the rest.", RECENT),
        Method("theta", "Dynamic optimised Theta with the period of a day.", RECENT),
        Method("ets", "Exponential smoothing with additive errors and an additive day.", RECENT),
        Method("sarimax", "SARIMAX(1,1,1)(1,1,1,24) by conditional least squares.", RECENT),
        Method("seasonal_naive_week", "The same hour of the week again."),
        Method("seasonal_naive_day", "The same hour of the day again."),
        Method("hour_of_day_mean", "The mean of the hour of the day."),
        Method("last_value", "The last value goes on."),
    ),
    gates=Gates(metric="mase", better="less", maximum={"mase": 1.25}, min_rows=1),
    backtest=Backtest(),
    tables=(RAW_PARKING, REJECTS, HOURLY_PARKING, MODEL_METRICS, CANDIDATE_METRICS, PREDICTIONS, FORECAST_ACCURACY),
    observations=HOURLY_PARKING.name,
)
