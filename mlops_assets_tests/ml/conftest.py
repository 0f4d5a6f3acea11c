"""Small served models of real parts: one that answers yes or no, fitted on made-up crimes, and one of seven classes, on made-up cells."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME
from mlops_assets.domains.chicago_crime.transforms import CrimeEnricher, raw_crimes_frame
from mlops_assets.domains.forest_cover.spec import FOREST_COVER, NUMBERS, SOIL_TYPES, WILDERNESS_AREAS
from mlops_assets.domains.forest_cover.transforms import ForestEnricher
from mlops_assets.ml.encode import FeatureEncoder, feature_columns
from mlops_assets.ml.estimators import build_estimator, fit_estimator
from mlops_assets.ml.scale import FrameScaler
from mlops_assets.ml.served import ServedModel
from mlops_assets.ml.train import FittedModel

Crimes = Cells = list[dict[str, Any]]


def make_crimes(count: int, seed: int = 0) -> Crimes:
    """Records as the portal sends them, arrest included; thefts seldom lead to one."""
    rng = np.random.default_rng(seed)
    crimes = []
    for number in range(count):
        narcotics = bool(rng.random() < 0.5)
        crimes.append(
            {
                "id": str(1000 + number),
                "date": f"2017-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}T{rng.integers(24):02d}:30:00.000",
                "iucr": "2024" if narcotics else "0820",
                "primary_type": "NARCOTICS" if narcotics else "THEFT",
                "location_description": str(rng.choice(["STREET", "ALLEY", "BANK"])),
                "district": f"{rng.integers(1, 26):03d}",
                "beat": str(rng.integers(111, 2535)),
                "domestic": bool(rng.random() < 0.2),
                "x_coordinate": str(rng.integers(1_140_000, 1_200_000)),
                "y_coordinate": str(rng.integers(1_830_000, 1_930_000)),
                "arrest": bool(rng.random() < (0.8 if narcotics else 0.1)),
            }
        )
    return crimes


def fit_served(crimes: Crimes) -> ServedModel:
    """Every stage fitted on the crimes."""
    domain = CHICAGO_CRIME
    enricher = CrimeEnricher(["1", "18"], np.array([[1_176_000.0, 1_860_000.0], [1_172_000.0, 1_908_000.0]]))
    encoder = FeatureEncoder(domain.features, domain.target, domain.id_column)
    encoded = encoder.fit_transform(enricher.transform(raw_crimes_frame([crimes])))
    scaler = FrameScaler(domain.features.scaled).fit(encoded)
    columns = feature_columns(domain.features)
    estimator = build_estimator("xgboost", {"n_estimators": 5, "max_depth": 3}, seed=1)
    estimator.fit(scaler.transform(encoded)[columns].to_numpy(dtype=np.float32), encoded[domain.target].to_numpy())
    model = FittedModel(estimator, columns, "target", {"n_estimators": 5}, threshold=0.4)
    return ServedModel(enricher=enricher, encoder=encoder, scaler=scaler, model=model, request=domain.request)


def make_cells(count: int, seed: int = 0) -> Cells:
    """Cells of the forest, cover_type included; the type goes with the elevation, and the rarest one is not there."""
    rng = np.random.default_rng(seed)
    elevations = rng.uniform(1800, 3800, count)
    cells = []
    for elevation in elevations.tolist():
        cell = {name: float(np.round(example * rng.uniform(0.2, 1.8), 1)) for name, (_, example) in NUMBERS.items()}
        cell |= {"elevation": elevation, "cover_type": min(int((elevation - 1800) / 400 + rng.normal(0, 0.3)) % 6, 5)}
        cells.append(cell | {"wilderness_area": str(rng.choice(WILDERNESS_AREAS)), "soil_type": str(rng.choice(SOIL_TYPES))})
    return cells


def fit_cells(cells: Cells, estimator: str, **params: Any) -> ServedModel:
    """Every stage fitted on the cells."""
    domain, frame = FOREST_COVER, pd.DataFrame(cells)
    enricher = ForestEnricher()
    encoder = FeatureEncoder(domain.features, domain.target, domain.id_column)
    encoded = encoder.fit_transform(enricher.transform(frame))
    scaler = FrameScaler(domain.features.scaled).fit(encoded)
    columns = feature_columns(domain.features)
    matrix = scaler.transform(encoded)[columns].to_numpy(dtype=np.float32)
    fitted = fit_estimator(estimator, params, matrix, encoded[domain.target].to_numpy(), seed=1)
    learned = tuple(sorted(set(frame["cover_type"])))
    model = FittedModel(fitted, columns, estimator, dict(params), threshold=0.0, classes=tuple(domain.classes), learned=learned)
    return ServedModel(
        enricher=enricher, encoder=encoder, scaler=scaler, model=model, request=domain.request, classes=tuple(domain.classes)
    )


@pytest.fixture(scope="session")
def cells() -> Cells:
    """400 labelled cells of six classes."""
    return make_cells(400)


@pytest.fixture(scope="session")
def fit_forest(cells: Cells) -> Callable[..., ServedModel]:
    """Fits a served model of an estimator on `cells`."""
    return lambda estimator, **params: fit_cells(cells, estimator, **params)


@pytest.fixture(scope="session")
def forest(fit_forest: Callable[..., ServedModel]) -> ServedModel:
    """A random forest fitted on `cells`."""
    return fit_forest("random_forest", n_estimators=15, max_depth=6)


@pytest.fixture(scope="session")
def crimes() -> Crimes:
    """300 labelled records."""
    return make_crimes(300)


@pytest.fixture(scope="session")
def served(crimes: Crimes) -> ServedModel:
    """A served model fitted on `crimes`."""
    return fit_served(crimes)


@pytest.fixture(scope="session")
def refit() -> Callable[[Crimes], ServedModel]:
    """Fits another served model."""
    return fit_served


@pytest.fixture(scope="session")
def raw(crimes: Crimes) -> pd.DataFrame:
    """`crimes` as the raw frame."""
    return raw_crimes_frame([crimes])
