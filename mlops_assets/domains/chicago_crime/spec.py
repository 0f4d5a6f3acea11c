"""Chicago crime as a `TabularDomain`: the portal's record, the features, the candidates and the gates. Declarations only."""

from mlops_assets.domain import Candidate, Features, Gates, Monthly, Outliers, Range, RequestField, Search, TabularDomain

CRIMES_DATASET = "ijzp-q8t2"
STATIONS_DATASET = "z8bn-74gv"

SEASONS = ("Winter", "Spring", "Summer", "Fall")
DAY_TIMES = ("Night", "Morning", "Afternoon", "Evening")

XGBOOST_SPACE = {
    "max_depth": Range(3, 16, integer=True),
    "learning_rate": Range(0.001, 1.0, log=True),
    "n_estimators": Range(50, 200, integer=True),
    "subsample": Range(0.7, 1.0),
    "colsample_bytree": Range(0.3, 0.9),
    "gamma": Range(0.0, 2.0),
    "min_child_weight": Range(0, 15, integer=True),
    "reg_lambda": Range(0.01, 1.0),
    "reg_alpha": Range(0.01, 1.0),
}
"""The ranges of the system that this one replaces."""

TARGET_SPACE = {
    "max_depth": Range(6, 9, integer=True),
    "learning_rate": Range(0.08, 0.2, log=True),
    "n_estimators": Range(100, 200, integer=True),
    "colsample_bytree": Range(0.3, 0.8),
    "min_child_weight": Range(1, 20, integer=True),
    "reg_lambda": Range(0.5, 10.0, log=True),
}
"""Narrower: around what does well with target encodings at little cost."""

CADENCE = Monthly(start="2016-01", window=12, schedule="0 6 9 * *")

CHICAGO_CRIME = TabularDomain(
    name="chicago_crime",
    title="Chicago crime",
    description="Probability that a crime reported in Chicago leads to an arrest.",
    id_column="id",
    time_column="occurred_at",
    target="arrest",
    request=(
        RequestField("id", "string", "The portal's identifier of the record.", "11160347"),
        RequestField("case_number", "string", "Police records division number.", "JA526401"),
        RequestField("date", "string", "When it happened, Chicago local time.", "2017-11-26T23:53:00.000", required=True),
        RequestField("block", "string", "Partly redacted address.", "054XX W RICE ST"),
        RequestField("iucr", "string", "Illinois Uniform Crime Reporting code.", "0460"),
        RequestField("primary_type", "string", "Primary description of the IUCR code.", "BATTERY"),
        RequestField("description", "string", "Secondary description of the IUCR code.", "SIMPLE"),
        RequestField("location_description", "string", "Kind of place.", "ALLEY"),
        RequestField("domestic", "boolean", "Whether it was domestic-related.", False),
        RequestField("beat", "string", "Police beat.", "1524"),
        RequestField("district", "string", "Police district, three digits.", "015"),
        RequestField("ward", "string", "City council district.", "37"),
        RequestField("community_area", "string", "One of 77 community areas.", "25"),
        RequestField("fbi_code", "string", "Class in the FBI's NIBRS.", "08B"),
        RequestField("x_coordinate", "string", "Easting, EPSG:3435, US survey feet.", "1139962"),
        RequestField("y_coordinate", "string", "Northing, EPSG:3435, US survey feet.", "1905137"),
        RequestField("year", "string", "Year of the date.", "2017"),
        RequestField("updated_on", "string", "When the record was last updated.", "2017-12-03T15:49:45.000"),
        RequestField("latitude", "string", "Degrees north, WGS 84.", "41.895796081"),
        RequestField("longitude", "string", "Degrees east, WGS 84.", "-87.761401563"),
    ),
    features=Features(
        # Rounded minutes tell crimes that were reported later from memory.
        numeric=("x_ft", "y_ft", "minute"),
        log1p=("station_distance_m",),
        cyclic={"day_of_week": 7, "hour": 24},
        one_hot={"season": SEASONS, "day_time": DAY_TIMES},
        flags=("domestic",),
        frequency=(
            "iucr",
            "primary_type",
            "location_description",
            "fbi_code",
            "district",
            "nearest_station",
            "beat",
            "ward",
            "community_area",
        ),
        target=(("iucr",), ("iucr", "location_description"), ("iucr", "beat"), ("x_coordinate", "y_coordinate")),
        scaled=("x_ft", "y_ft", "minute", "station_distance_m_log1p"),
    ),
    outliers=Outliers(columns=("station_distance_m",)),
    candidates=(
        Candidate(
            name="target",
            description="Cross-fitted target encoding beside the plain columns; every row, every feature.",
            encodings=("plain", "target"),
            params={"n_estimators": 100, "max_depth": 8, "learning_rate": 0.15, "colsample_bytree": 0.5, "min_child_weight": 5},
            space=TARGET_SPACE,
        ),
        Candidate(
            name="reference",
            description="The chain of the replaced system: frequency encoding, SMOTE and under-sampling, mutual information.",
            balance=True,
            select=True,
            params={"n_estimators": 100, "max_depth": 6, "learning_rate": 0.3},
            space=XGBOOST_SPACE,
        ),
        Candidate(
            name="plain",
            description="The reference encoding without resampling and without selection.",
            params={"n_estimators": 100, "max_depth": 6, "learning_rate": 0.3},
            space=XGBOOST_SPACE,
        ),
    ),
    search=Search(trials=5),
    gates=Gates(metric="average_precision", minimum={"roc_auc": 0.8, "average_precision": 0.6, "mcc": 0.4}),
    cadence=CADENCE,
)
