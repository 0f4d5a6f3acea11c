"""The chain that this platform replaces, as a plain script: pandas, a CSV file between every two steps, one model with default parameters.

    python -m benchmarks.programs.reference_chain FOLDER

FOLDER holds `crimes.csv` and `police_stations.csv`, downloaded before, with the portal's JSON names; everything else is written there.
The choices are the old system's: GeoPandas for the nearest station, a stratified split, outliers of the distance, frequency, one-hot and
cyclic encoding, SMOTE and under-sampling, scikit-learn's mutual information, an untuned XGBoost, MLflow with its own defaults. Faults
that would only spoil its result are left out: rows doubled by equally near stations, the two columns called `district`.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import geopandas
import mlflow
import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE
from imblearn.under_sampling import RandomUnderSampler
from sklearn.feature_selection import mutual_info_classif
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

TARGET = "arrest"
CODES = ["iucr", "fbi_code", "district", "nearest_station", "beat", "ward", "community_area"]
FREQUENCY = ["primary_type", "location_description", *CODES]
ONE_HOT = {"season": ["Winter", "Spring", "Summer", "Fall"], "day_time": ["Night", "Morning", "Afternoon", "Evening"]}
SCALED = ["x_coordinate", "y_coordinate", "distance"]
SEASON_OF_MONTH = {12: "Winter", 1: "Winter", 2: "Winter", 3: "Spring", 4: "Spring", 5: "Spring", 6: "Summer", 7: "Summer", 8: "Summer"}
METRES_PER_FOOT = 1200 / 3937


class Folder:
    """Tables as CSV files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> pd.DataFrame:
        """A table; codes with leading zeros stay text."""
        return pd.read_csv(self.path / f"{name}.csv", dtype=dict.fromkeys(CODES, str), low_memory=False)

    def write(self, name: str, table: pd.DataFrame) -> None:
        """Replaces a table."""
        table.to_csv(self.path / f"{name}.csv", index=False)


def enrich(folder: Folder) -> None:
    """Nearest police station with its distance in metres, season, day of the week, time of day."""
    crimes, stations = folder.read("crimes"), folder.read("police_stations")
    crimes = crimes.dropna(subset=["x_coordinate", "y_coordinate"]).drop_duplicates("id").reset_index(drop=True)
    crimes = crimes[crimes["x_coordinate"] > 0].reset_index(drop=True)
    stations = stations[stations["district"] != "Headquarters"].rename(columns={"district": "nearest_station"})
    joined = points(crimes).sjoin_nearest(points(stations)[["nearest_station", "geometry"]], distance_col="distance")
    enriched = pd.DataFrame(joined.drop(columns=["geometry", "index_right"])).drop_duplicates("id")
    when = pd.to_datetime(enriched["date"])
    enriched["distance"] *= METRES_PER_FOOT
    enriched["season"] = when.dt.month.map(SEASON_OF_MONTH).fillna("Fall")
    enriched["day_of_week"] = when.dt.dayofweek
    enriched["day_time"] = pd.cut(when.dt.hour, [0, 6, 12, 18, 24], right=False, labels=ONE_HOT["day_time"])
    folder.write("enriched", enriched)


def points(table: pd.DataFrame) -> geopandas.GeoDataFrame:
    """The table with its coordinates as points."""
    return geopandas.GeoDataFrame(table, geometry=geopandas.points_from_xy(table["x_coordinate"], table["y_coordinate"]), crs="EPSG:3435")


def split(folder: Folder) -> None:
    """80 % train, 20 % test, with the same share of arrests."""
    enriched = folder.read("enriched")
    train, test = train_test_split(enriched, test_size=0.2, stratify=enriched[TARGET], random_state=42)
    folder.write("train", train)
    folder.write("test", test)


def process_outliers(folder: Folder) -> None:
    """Training rows within three standard deviations of the mean distance; the logarithm of the distance."""
    train, test = folder.read("train"), folder.read("test")
    mean, deviation = train["distance"].mean(), train["distance"].std()
    train = train[train["distance"].between(mean - 3 * deviation, mean + 3 * deviation)]
    for name, table in (("train", train), ("test", test)):
        folder.write(f"{name}_processed", table.assign(distance=np.log1p(table["distance"])))


def encode(folder: Folder) -> None:
    """Numbers only; frequencies are those of the training rows."""
    train, test = folder.read("train_processed"), folder.read("test_processed")
    frequencies = {column: train[column].value_counts(normalize=True) for column in FREQUENCY}
    for name, table in (("train", train), ("test", test)):
        encoded = table[SCALED].copy()
        encoded["day_of_week_sin"] = np.sin(2 * np.pi * table["day_of_week"] / 7)
        encoded["day_of_week_cos"] = np.cos(2 * np.pi * table["day_of_week"] / 7)
        for column, categories in ONE_HOT.items():
            dummies = pd.get_dummies(pd.Categorical(table[column], categories), prefix=column, dtype=float)
            encoded[dummies.columns] = dummies.to_numpy()
        encoded["domestic"] = table["domestic"].astype(int)
        for column in FREQUENCY:
            encoded[f"{column}_freq"] = table[column].map(frequencies[column]).fillna(0)
        encoded[TARGET] = table[TARGET].astype(int)
        folder.write(f"{name}_encoded", encoded)


def scale(folder: Folder) -> None:
    """Coordinates and distance standardised."""
    train, test = folder.read("train_encoded"), folder.read("test_encoded")
    scaler = StandardScaler().fit(train[SCALED])
    for name, table in (("train", train), ("test", test)):
        table[SCALED] = scaler.transform(table[SCALED])
        folder.write(f"{name}_scaled", table)


def balance(folder: Folder) -> None:
    """SMOTE, then under-sampling, of the training rows."""
    train = folder.read("train_scaled")
    rows, labels = SMOTE(sampling_strategy=0.5, random_state=17).fit_resample(train.drop(columns=TARGET), train[TARGET])
    rows, labels = RandomUnderSampler(sampling_strategy=0.8, random_state=17).fit_resample(rows, labels)
    folder.write("train_balanced", rows.assign(**{TARGET: labels}))


def select(folder: Folder) -> None:
    """Features whose mutual information with the target is above 0.05."""
    train, test = folder.read("train_balanced"), folder.read("test_scaled")
    features = train.drop(columns=TARGET)
    scores = pd.Series(mutual_info_classif(features, train[TARGET], random_state=42), index=features.columns)
    chosen = [*scores[scores > 0.05].index, TARGET]
    folder.write("train_selected", train[chosen])
    folder.write("test_selected", test[chosen])


def train_and_register(folder: Folder) -> dict[str, float]:
    """Fits, judges on the test rows, and registers in a SQLite registry; the metrics."""
    train, test = folder.read("train_selected"), folder.read("test_selected")
    features, test_features = train.drop(columns=TARGET), test.drop(columns=TARGET)
    mlflow.set_tracking_uri(f"sqlite:///{folder.path / 'mlflow.db'}")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("reference", (folder.path / "artifacts").as_uri()))
    with mlflow.start_run():
        model = XGBClassifier(random_state=42).fit(features, train[TARGET])
        probability = model.predict_proba(test_features)[:, 1]
        metrics = {
            "roc_auc": float(roc_auc_score(test[TARGET], probability)),
            "average_precision": float(average_precision_score(test[TARGET], probability)),
            "mcc": float(matthews_corrcoef(test[TARGET], probability >= 0.5)),
        }
        mlflow.log_params(model.get_params())
        mlflow.log_metrics(metrics)
        mlflow.xgboost.log_model(model, name="model", input_example=features.head(5), registered_model_name="reference")
    return metrics


STEPS: list[Callable[[Folder], object]] = [enrich, split, process_outliers, encode, scale, balance, select]


def main() -> None:
    """Every step in turn; prints the metrics."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = Folder(parser.parse_args().folder)
    for step in STEPS:
        step(folder)
    print(json.dumps(train_and_register(folder)))


if __name__ == "__main__":
    main()
