"""Dashboards and alert rules as code: `python -m deploy.grafana` writes the files that Grafana reads, for PostgreSQL and for BigQuery.

A panel's SQL is written once, in DuckDB's dialect (`stores.py`). What a system's dashboard shows follows from its `Domain`.
"""
