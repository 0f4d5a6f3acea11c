"""The pools that assets run in: one for each upstream, and one for what fits models. dagster.yaml says how many runs each takes."""

import dagster as dg


def pools_of(defs: dg.Definitions) -> set[str]:
    """The pools that the assets name."""
    return {asset.op.pool for asset in defs.resolve_asset_graph().assets_defs if asset.is_executable and asset.op.pool}


def announce_pools(instance: dg.DagsterInstance, defs: dg.Definitions) -> None:
    """Makes the limits of dagster.yaml hold from the first run on. Limits that somebody has set by hand stay.

    Dagster's queue first hears of a pool from a run that waits for it, and lets all that wait at that moment start together.
    """
    if instance.global_op_concurrency_default_limit is None:
        return
    known = {pool.name for pool in instance.event_log_storage.get_pool_limits()}
    for pool in sorted(pools_of(defs) - known):
        instance.event_log_storage.initialize_concurrency_limit_to_default(pool)
