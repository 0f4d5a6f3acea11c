"""Mutual information of a balanced year's features: `mutual_information` against scikit-learn's, at least 5 times as fast.

The same scores to 1e-10 and the same selected features are demanded.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.feature_selection import mutual_info_classif

from benchmarks.measure import Row, cpu_seconds, in_turn
from benchmarks.platform import Platform
from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.ml.balance import balance
from mlops_assets.ml.encode import FeatureEncoder, feature_columns
from mlops_assets.ml.scale import FrameScaler
from mlops_assets.ml.select import mutual_information
from mlops_assets.ml.split import split

BAR = 1 / 5
REPEATS = 3


def rows(platform: Platform) -> Iterator[Row]:
    """One row."""
    balanced = balanced_rows(platform.ingested().frame("enriched"))
    features, target = balanced.drop(columns=CHICAGO_CRIME.target), balanced[CHICAGO_CRIME.target].to_numpy()
    spec = CHICAGO_CRIME.selection
    scores: dict[str, np.ndarray] = {}

    def ours() -> None:
        scores["ours"] = mutual_information(features, target, neighbours=spec.neighbours, seed=spec.seed)

    def theirs() -> None:
        scores["theirs"] = mutual_info_classif(
            features, target, discrete_features=False, n_neighbors=spec.neighbours, random_state=spec.seed
        )

    seconds = in_turn(lambda: cpu_seconds(ours), lambda: cpu_seconds(theirs), repeats=REPEATS)
    selected = [set(features.columns[score > spec.threshold]) for score in scores.values()]
    same = np.allclose(scores["ours"], scores["theirs"], rtol=0, atol=1e-10) and selected[0] == selected[1]
    note = f"both select {len(selected[0])} of {features.shape[1]} features"
    yield Row(f"mutual_information, {len(features):,} x {features.shape[1]}", *seconds, BAR, same=same, note=note)


def balanced_rows(enriched: pd.DataFrame) -> pd.DataFrame:
    """Training rows encoded, scaled and balanced."""
    domain = CHICAGO_CRIME
    train, _ = split(enriched, domain.split, id_column=domain.id_column, time_column=domain.time_column, target=domain.target)
    encoded = FeatureEncoder(domain.features, domain.target, domain.id_column).fit_transform(train)
    scaled = FrameScaler(domain.features.scaled).fit(encoded).transform(encoded)
    return balance(scaled, domain.balance, target=domain.target, columns=feature_columns(domain.features, ("plain",)))
