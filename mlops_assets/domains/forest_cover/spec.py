"""Forest cover as a `TabularDomain`: the batch API's sample, the terrain features, five candidates and the gates. Declarations only."""

from mlops_assets.domain import (
    Batches,
    Candidate,
    Column,
    CompatibleApi,
    Features,
    Gates,
    Range,
    RequestField,
    Search,
    Table,
    TabularDomain,
)
from mlops_assets.domains.forest_cover.terrain import TERRAIN

NUMBERS = {
    "elevation": ("Elevation in metres.", 2596.0),
    "aspect": ("Aspect in degrees azimuth, 0 to 360.", 51.0),
    "slope": ("Slope in degrees.", 3.0),
    "horizontal_distance_to_hydrology": ("Horizontal distance to the nearest surface water, metres.", 258.0),
    "vertical_distance_to_hydrology": ("Vertical distance to the nearest surface water, metres; negative below it.", 0.0),
    "horizontal_distance_to_roadways": ("Horizontal distance to the nearest road, metres.", 510.0),
    "hillshade_9am": ("Hillshade index at 9 am at the summer solstice, 0 to 255.", 221.0),
    "hillshade_noon": ("Hillshade index at noon at the summer solstice, 0 to 255.", 232.0),
    "hillshade_3pm": ("Hillshade index at 3 pm at the summer solstice, 0 to 255.", 148.0),
    "horizontal_distance_to_fire_points": ("Horizontal distance to the nearest wildfire ignition point, metres.", 6279.0),
}
"""Field -> description and example, in the order of the API."""

WILDERNESS_AREAS = ("Rawah", "Neota", "Commanche", "Cache")
SOIL_TYPES = (
    *("C2702", "C2703", "C2704", "C2705", "C2706", "C2717", "C3501", "C3502", "C4201", "C4703", "C4704", "C4744", "C4758", "C5101"),
    *("C5151", "C6101", "C6102", "C6731", "C7101", "C7102", "C7103", "C7201", "C7202", "C7700", "C7701", "C7702", "C7709", "C7710"),
    *("C7745", "C7746", "C7755", "C7756", "C7757", "C7790", "C8703", "C8707", "C8708", "C8771", "C8772", "C8776"),
)
COVER_TYPES = {
    0: "Spruce/Fir",
    1: "Lodgepole Pine",
    2: "Ponderosa Pine",
    3: "Cottonwood/Willow",
    4: "Aspen",
    5: "Douglas-fir",
    6: "Krummholz",
}

CADENCE = Batches(count=10)

SAMPLES = Table(
    name="forest_cover_samples",
    description="Every observation once, with the batch and the time that first brought it.",
    columns=(
        Column("sample_id", "string", "Hash of the observation's 13 values."),
        *(Column(name, "double", description) for name, (description, _) in NUMBERS.items()),
        Column("wilderness_area", "string", "Wilderness area."),
        Column("soil_type", "string", "Soil type, `C` and its USFS ecological landtype unit."),
        Column("cover_type", "long", "Forest cover type, 0 to 6."),
        Column("first_seen_batch", "long", "Number of the batch that first brought it."),
        Column("first_seen_at", "timestamp", "When the answer that first brought it was received."),
    ),
    partition_column="first_seen_batch",
    mode="add",
    keys=("sample_id",),
)
REJECTS = Table(
    name="forest_cover_rejects",
    description="Rows of accepted answers that are no samples, each with its reason.",
    columns=(
        Column("batch_number", "long", "Number of the batch."),
        Column("answer", "string", "The answer's name in the lake."),
        Column("row_number", "long", "Position in the answer, from 0."),
        Column("reason", "string", "Why it cannot be used."),
        Column("row", "string", "The row as received, JSON."),
        Column("received_at", "timestamp", "When the answer was received."),
    ),
    partition_column="batch_number",
    mode="replace",
)

FOREST_COVER = TabularDomain(
    name="forest_cover",
    title="Forest cover",
    description="Forest cover type of a 30 x 30 m cell in the Roosevelt National Forest, from its terrain.",
    id_column="sample_id",
    time_column="first_seen_at",
    target="cover_type",
    classes=COVER_TYPES,
    registered_name="forest-cover-classifier",
    request=(
        *(RequestField(name, "double", text, example, required=True, nullable=True) for name, (text, example) in NUMBERS.items()),
        RequestField("wilderness_area", "string", "Wilderness area.", "Rawah", required=True, categories=WILDERNESS_AREAS),
        RequestField("soil_type", "string", "Soil type, `C` and four digits.", "C7745", required=True, categories=SOIL_TYPES),
    ),
    features=Features(
        numeric=(*NUMBERS, *TERRAIN),
        one_hot={"wilderness_area": WILDERNESS_AREAS, "soil_type": SOIL_TYPES},
        scaled=(*NUMBERS, *TERRAIN),
    ),
    candidates=(
        Candidate(
            name="extra_trees",
            description="Extremely randomised trees, grown fully.",
            estimator="extra_trees",
            params={"n_estimators": 60, "criterion": "entropy", "max_features": 0.7},
            space={"max_features": Range(0.6, 1.0)},
        ),
        Candidate(
            name="xgboost",
            description="Gradient-boosted trees.",
            estimator="xgboost",
            params={"n_estimators": 200, "max_depth": 12, "learning_rate": 0.15, "subsample": 0.9, "colsample_bytree": 0.7},
            space={"max_depth": Range(10, 14, integer=True), "learning_rate": Range(0.1, 0.25, log=True)},
        ),
        Candidate(
            name="random_forest",
            description="A random forest, grown fully.",
            estimator="random_forest",
            params={"n_estimators": 60, "criterion": "entropy", "max_features": 0.4},
            space={"max_features": Range(0.2, 0.5)},
        ),
        Candidate(
            name="svc",
            description="Support vectors with an RBF kernel and calibrated probabilities, on a stratified sample of the rows.",
            estimator="svc",
            params={"C": 30.0, "gamma": 0.1},
            space={"C": Range(10.0, 100.0, log=True), "gamma": Range(0.05, 0.2, log=True)},
            max_rows=8_000,
        ),
        Candidate(
            name="logistic_regression",
            description="Multinomial logistic regression: what a linear model reaches.",
            estimator="logistic_regression",
            params={"C": 10.0},
            space={"C": Range(1.0, 30.0, log=True)},
        ),
    ),
    search=Search(trials=2, each=True, metric="macro_f1"),
    gates=Gates(metric="macro_f1", minimum={"macro_f1": 0.5, "accuracy": 0.6}),
    cadence=CADENCE,
    tables=(SAMPLES, REJECTS),
    observations=SAMPLES.name,
    compatible_api=CompatibleApi(records="samples"),
)
