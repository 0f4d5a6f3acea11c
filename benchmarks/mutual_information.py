"""Mutual information of a balanced year's features: `mutual_information` against scikit-learn's `mutual_info_classif`.

    python benchmarks/mutual_information.py [--data FOLDER]

FOLDER holds the portal's export `crimes*.csv.gz` and `police_stations.csv`; without it, columns of the same kinds are made up.
Exit code 1: a score that differs by more than 1e-10, or less than 5 times as fast.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from measure import cpu_seconds, report
from sklearn.feature_selection import mutual_info_classif

from mlops_assets.domain import Balance, Features, Split
from mlops_assets.ml.balance import balance
from mlops_assets.ml.encode import FeatureEncoder, feature_columns
from mlops_assets.ml.nearest import nearest_point
from mlops_assets.ml.scale import FrameScaler
from mlops_assets.ml.select import mutual_information
from mlops_assets.ml.split import split

BAR = 5
ROWS = 191_000
NEIGHBOURS, SEED = 3, 42
FEATURES = Features(
    numeric=("X Coordinate", "Y Coordinate"),
    log1p=("distance",),
    cyclic={"day": 7, "hour": 24},
    one_hot={"quarter": ("1", "2", "3", "4"), "watch": ("0", "1", "2", "3")},
    flags=("Domestic",),
    frequency=("IUCR", "Primary Type", "Location Description", "FBI Code", "District", "station", "Beat", "Ward", "Community Area"),
    scaled=("X Coordinate", "Y Coordinate", "distance_log1p"),
)


def made_up() -> tuple[pd.DataFrame, np.ndarray]:
    """25 columns, as continuous, as tied and as interpolated as the real ones, and a target that they tell something about."""
    rng = np.random.default_rng(0)
    target = (rng.random(ROWS) < 4 / 9).astype(np.int8)
    signal = rng.normal(size=(ROWS, 25)) + 0.3 * target[:, None]
    columns = {f"continuous_{n}": signal[:, n] for n in range(3)}
    columns |= {f"cyclic_{n}": np.sin(np.round(signal[:, n], 1)) for n in range(3, 7)}
    columns |= {f"flag_{n}": (signal[:, n] > 0).astype(float) for n in range(7, 16)}
    columns |= {f"frequency_{n}": np.round(np.exp(signal[:, n]), 2) / 100 for n in range(16, 25)}
    features = pd.DataFrame(columns)
    resampled = np.flatnonzero(target)[: ROWS // 4]
    step = rng.random((len(resampled), 1))
    features.iloc[resampled] += step * (features.iloc[np.roll(resampled, 1)].to_numpy() - features.iloc[resampled].to_numpy())
    return features, target


def exported(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """The training rows of an export, encoded, scaled and balanced."""
    crimes = pd.read_csv(next(folder.glob("crimes*.csv.gz")), dtype={"ID": str})
    stations = pd.read_csv(folder / "police_stations.csv")[["X COORDINATE", "Y COORDINATE"]].to_numpy()
    crimes["station"], crimes["distance"] = nearest_point(crimes[["X Coordinate", "Y Coordinate"]].to_numpy(), stations)
    when = pd.to_datetime(crimes["Date"], format="%m/%d/%Y %I:%M:%S %p")
    crimes = crimes.assign(day=when.dt.dayofweek, hour=when.dt.hour, quarter=when.dt.quarter, watch=when.dt.hour // 6)
    train, _ = split(crimes, Split(), id_column="ID", time_column="Date", target="Arrest")
    encoded = FeatureEncoder(FEATURES, "Arrest", "ID").fit_transform(train)
    scaled = FrameScaler(FEATURES.scaled).fit(encoded).transform(encoded)
    balanced = balance(scaled, Balance(), target="Arrest", columns=feature_columns(FEATURES))
    return balanced.drop(columns="Arrest"), balanced["Arrest"].to_numpy()


def main() -> int:
    """Measure, compare, print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    features, target = exported(arguments.data) if arguments.data else made_up()

    scores: dict[str, np.ndarray] = {}

    def ours() -> None:
        scores["ours"] = mutual_information(features, target, neighbours=NEIGHBOURS, seed=SEED)

    def theirs() -> None:
        scores["theirs"] = mutual_info_classif(features, target, discrete_features=False, n_neighbors=NEIGHBOURS, random_state=SEED)

    seconds = cpu_seconds(ours, theirs, repeats=arguments.repeats)
    same = np.allclose(scores["ours"], scores["theirs"], rtol=0, atol=1e-10)
    return report(f"information {features.shape[0]}x{features.shape[1]}", *seconds, bar=BAR, same=same)


if __name__ == "__main__":
    sys.exit(main())
