"""What a sample is on the wire: thirteen texts in the API's order, kept as the JSON that an answer consists of."""

import json
from collections.abc import Callable, Sequence

HILLSHADES = ("Hillshade_9am", "Hillshade_Noon", "Hillshade_3pm")
COLUMNS = (
    *("Elevation", "Aspect", "Slope"),
    *("Horizontal_Distance_To_Hydrology", "Vertical_Distance_To_Hydrology", "Horizontal_Distance_To_Roadways"),
    *HILLSHADES,
    *("Horizontal_Distance_To_Fire_Points", "Wilderness_Area", "Soil_Type", "Cover_Type"),
)
BATCHES = 10

BatchRows = Callable[[int], Sequence[str]]
"""All rows of the batch with this number, 1 to 10, each as JSON; the same at every call."""


def row_json(values: Sequence[str]) -> str:
    """One row as the API writes it."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)
