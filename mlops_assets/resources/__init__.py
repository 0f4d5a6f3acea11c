"""Upstreams and services as Dagster resources: each a `ConfigurableResource` that yields a plain client class."""
