"""Which stages a bucket may let expire: those that only the training of their own partition reads, and makes anew."""

import dagster as dg
import pytest

from mlops_assets.cli.lake import intermediate_assets
from mlops_assets.definitions import defs
from mlops_assets.domain import Domain, TabularDomain
from mlops_assets.domains import DOMAINS

OF_TABULAR = {f"{stage}_{part}" for stage in ("split", "encoded", "scaled") for part in ("train", "test")}


def _expected(domain: Domain) -> set[str]:
    if not isinstance(domain, TabularDomain):
        return {"series"}
    resampled = {"balanced", "selected_features"} if domain.resamples else set()
    return OF_TABULAR | resampled | ({"outliers_removed"} if domain.outliers.columns else set())


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=list(DOMAINS))
def test_what_expires_lies_between_the_enriched_rows_and_the_model(domain: Domain) -> None:
    stages = {name.partition("/")[2] for name in intermediate_assets(defs) if name.startswith(f"{domain.name}/")}

    assert stages == _expected(domain)


def test_what_expires_is_read_in_its_own_partition_by_the_jobs_that_make_it() -> None:
    expiring = {dg.AssetKey.from_user_string(name) for name in intermediate_assets(defs)}
    graph = defs.resolve_asset_graph()
    read = 0
    for asset in graph.assets_defs:
        for key in expiring & set(asset.keys_by_input_name.values()):
            read += 1
            assert isinstance(asset.get_partition_mapping(key), dg.IdentityPartitionMapping | None), asset
            makers = [job for job in defs.get_repository_def().get_all_jobs() if key in job.asset_layer.executable_asset_keys]
            for made in asset.keys or {check.asset_key for check in asset.check_keys}:
                assert any(made in job.asset_layer.executable_asset_keys for job in makers), made
    assert read >= len(expiring)
