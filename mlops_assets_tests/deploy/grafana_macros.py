"""What Grafana makes of a panel's SQL before it asks the warehouse: macros and variables filled in, as its plugins do."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

TIME_FILTER = re.compile(r"\$__timeFilter\(([^)]*)\)")


def filled_in(target: Mapping[str, Any], start: datetime, end: datetime, variables: Mapping[str, str]) -> str:
    """The SQL of a target between two times. ValueError if anything of Grafana's is left in it."""
    first, last = (f"'{moment.isoformat().replace('+00:00', 'Z')}'" for moment in (start, end))
    is_bigquery = isinstance(target["format"], int)
    between = rf"\1 >= {first} AND \1 <= {last}" if is_bigquery else rf"\1 BETWEEN {first} AND {last}"
    sql = TIME_FILTER.sub(between, target["rawSql"])
    for name, value in variables.items():
        sql = re.sub(rf"\${{{name}(:raw)?}}|\${name}\b", value, sql)
    if "$" in sql:
        raise ValueError(f"Grafana would not know what to fill in: {sql}")
    return sql
