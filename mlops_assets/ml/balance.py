"""Evening out the classes of the training rows. Test rows and served records never come here."""

import logging

import numpy as np
import pandas as pd

from mlops_assets.domain import Balance

logger = logging.getLogger(__name__)


def balance(train: pd.DataFrame, spec: Balance, *, target: str, columns: list[str]) -> pd.DataFrame:
    """SMOTE up to minority/majority = `spec.oversample`, then leave out random majority rows up to `spec.undersample`.

    A step whose ratio the rows already have is skipped. Takes encoded, scaled rows of two classes and gives [target (int8),
    columns (float64)], the order of rows being a function of the input and the seed. Raises ValueError when there are not two
    classes, or not more minority rows than `spec.neighbours` for SMOTE to join.
    """
    from imblearn.over_sampling import SMOTE
    from imblearn.under_sampling import RandomUnderSampler

    rows, labels = train[columns].to_numpy(dtype=np.float64), train[target].to_numpy(dtype=np.int8)
    minority, majority = _class_counts(labels)
    if minority / majority >= spec.oversample:
        logger.info("no over-sampling: %d/%d rows are balanced to %s already", minority, majority, spec.oversample)
    else:
        if minority <= spec.neighbours:
            raise ValueError(f"SMOTE with {spec.neighbours} neighbours needs more minority rows than that; there are {minority}")
        smote = SMOTE(sampling_strategy=spec.oversample, k_neighbors=spec.neighbours, random_state=spec.seed)
        rows, labels = smote.fit_resample(rows, labels)
        minority, majority = _class_counts(labels)
    if minority / majority >= spec.undersample:
        logger.info("no under-sampling: %d/%d rows are balanced to %s already", minority, majority, spec.undersample)
    else:
        rows, labels = RandomUnderSampler(sampling_strategy=spec.undersample, random_state=spec.seed).fit_resample(rows, labels)
    logger.info("balanced %d training rows to %d", len(train), len(labels))
    balanced = pd.DataFrame(rows, columns=columns)
    balanced.insert(0, target, labels.astype(np.int8))
    return balanced


def _class_counts(labels: np.ndarray) -> tuple[int, int]:
    """(minority, majority) rows."""
    counts = np.unique(labels, return_counts=True)[1]
    if len(counts) != 2:
        raise ValueError(f"balancing needs rows of two classes; these {len(labels)} rows have {len(counts)}")
    return int(counts.min()), int(counts.max())
