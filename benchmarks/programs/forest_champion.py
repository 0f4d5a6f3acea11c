"""Registers a champion of forest cover: a random forest on generated samples, by the functions that the lineage calls.

    python -m benchmarks.programs.forest_champion ROWS TREES DEPTH

Prints the registered version, its engine and how many records it was compared on.
"""

import json
import sys
from datetime import UTC, datetime

from mlops_assets.process import prepare_process

prepare_process()

from mlops_assets.domain import Candidate  # noqa: E402  # after the process is prepared, as in the lineage
from mlops_assets.domains.forest_cover.spec import FOREST_COVER  # noqa: E402
from mlops_assets.domains.forest_cover.transforms import ForestEnricher, parse_answer  # noqa: E402
from mlops_assets.ml import registry  # noqa: E402
from mlops_assets.ml.chain import raw_records  # noqa: E402
from mlops_assets.ml.encode import FeatureEncoder  # noqa: E402
from mlops_assets.ml.provenance import Provenance  # noqa: E402
from mlops_assets.ml.release import register_challenger  # noqa: E402
from mlops_assets.ml.scale import FrameScaler  # noqa: E402
from mlops_assets.ml.served import ServedModel  # noqa: E402
from mlops_assets.ml.split import split  # noqa: E402
from mlops_assets.ml.task import task_of  # noqa: E402
from mlops_assets.ml.train import fit_candidate  # noqa: E402
from mlops_assets.sandbox.forest_cover.terrain import GeneratedSamples  # noqa: E402
from mlops_assets.settings import Settings  # noqa: E402

DOMAIN = FOREST_COVER


def main() -> None:
    """Generates, fits, registers, prints."""
    rows, trees, depth = map(int, sys.argv[1:])
    samples, _ = parse_answer(f'{{"data": [{", ".join(GeneratedSamples(42, rows).batch(1))}]}}')
    enricher = ForestEnricher()
    train, test = split(
        enricher.transform(samples).assign(first_seen_at=datetime.now(UTC)),
        DOMAIN.split,
        id_column=DOMAIN.id_column,
        time_column=DOMAIN.time_column,
        target=DOMAIN.target,
    )
    encoder = FeatureEncoder(DOMAIN.features, DOMAIN.target, DOMAIN.id_column)
    encoded = encoder.fit_transform(train)
    scaler = FrameScaler(DOMAIN.features.scaled).fit(encoded)
    model = fit_candidate(
        Candidate(name="random_forest", description="A random forest.", estimator="random_forest"),
        {"n_estimators": trees, "max_depth": depth},
        train=scaler.transform(encoded),
        balanced=None,
        selected=None,
        target=DOMAIN.target,
        features=DOMAIN.features,
        seed=42,
        threshold=task_of(DOMAIN).default_threshold,
        classes=task_of(DOMAIN).classes,
    )
    served = ServedModel(
        enricher=enricher, encoder=encoder, scaler=scaler, model=model, request=DOMAIN.request, classes=task_of(DOMAIN).classes
    )
    client = registry.connect(Settings().tracking_uri)
    registry.create_experiment(client, DOMAIN.name, (Settings().home / "mlflow" / "artifacts").as_uri())
    experiment = client.get_experiment_by_name(DOMAIN.name)
    assert experiment is not None, "it was made in the line before"
    run = client.create_run(experiment.experiment_id)
    held_out = raw_records(test, DOMAIN)
    version, _ = register_challenger(
        client, DOMAIN, served, run_id=run.info.run_id, provenance=Provenance("", "01", "", "", ""), held_out=held_out
    )
    registry.set_alias(client, DOMAIN.model_name, registry.CHAMPION, version.version)
    engine = client.get_model_version(DOMAIN.model_name, version.version).tags["serving_engine"]
    print(json.dumps({"version": version.version, "engine": engine, "compared": len(held_out)}))


if __name__ == "__main__":
    main()
