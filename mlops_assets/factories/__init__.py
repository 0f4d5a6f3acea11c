"""The only shared Dagster authoring code: what has the same shape in every system is made here from its `Domain`."""
