"""The training as a plain script: the functions that the lineage calls, on the same frames, without Dagster and without storage.

    python -m benchmarks.programs.plain_training LAKE

LAKE is the folder of Chicago's assets, of which the enriched months and the last enricher are read. MLflow is the settings'; its champion
is scored as the lineage does it. Prints the metrics on the test rows.
"""

import json
import sys
from pathlib import Path

from mlops_assets.process import prepare_process

prepare_process()

from mlops_assets.domains.chicago_crime.spec import CHICAGO_CRIME  # noqa: E402  # after the process is prepared, as in the lineage
from mlops_assets.ml import registry  # noqa: E402
from mlops_assets.ml.balance import balance  # noqa: E402
from mlops_assets.ml.chain import compare_splits, metrics_frame, raw_records, score, search_and_fit  # noqa: E402
from mlops_assets.ml.encode import FeatureEncoder, feature_columns  # noqa: E402
from mlops_assets.ml.figures import evaluation_figures  # noqa: E402
from mlops_assets.ml.outliers import remove_outliers  # noqa: E402
from mlops_assets.ml.persistence import loads  # noqa: E402
from mlops_assets.ml.provenance import Provenance  # noqa: E402
from mlops_assets.ml.release import judge, register_challenger  # noqa: E402
from mlops_assets.ml.scale import FrameScaler  # noqa: E402
from mlops_assets.ml.select import select_features  # noqa: E402
from mlops_assets.ml.served import ServedModel  # noqa: E402
from mlops_assets.ml.split import split  # noqa: E402
from mlops_assets.ml.task import task_of  # noqa: E402
from mlops_assets.ml.window import join_window  # noqa: E402
from mlops_assets.settings import Settings  # noqa: E402
from mlops_assets.storage.parquet import decode  # noqa: E402

DOMAIN = CHICAGO_CRIME


def main() -> None:
    """Trains, registers, judges, prints."""
    lake = Path(sys.argv[1])
    months = sorted((lake / "enriched").glob("*.parquet"))
    enricher = loads(max((lake / "enricher").glob("*.skops")).read_bytes())
    rows = join_window({path.stem: decode(path.read_bytes())[0] for path in months}, DOMAIN)

    train, test = split(rows, DOMAIN.split, id_column=DOMAIN.id_column, time_column=DOMAIN.time_column, target=DOMAIN.target)
    kept, _ = remove_outliers(train, DOMAIN.outliers)
    encoder = FeatureEncoder(DOMAIN.features, DOMAIN.target, DOMAIN.id_column)
    encoded = encoder.fit_transform(kept)
    scaler = FrameScaler(DOMAIN.features.scaled).fit(encoded)
    scaled, scaled_test = scaler.transform(encoded), scaler.transform(encoder.transform(test))
    columns = feature_columns(DOMAIN.features, ("plain",))
    balanced = balance(scaled, DOMAIN.balance, target=DOMAIN.target, columns=columns)
    selected = select_features(balanced, DOMAIN.selection, target=DOMAIN.target, columns=columns)
    model, _ = search_and_fit(DOMAIN, DOMAIN.search, train=scaled, balanced=balanced, selected=selected)

    predictions, metrics = score(scaled_test, model, DOMAIN)
    labels, probabilities = predictions[DOMAIN.target].to_numpy(), task_of(DOMAIN).probabilities(predictions)
    evaluation_figures(labels, probabilities, threshold=model.threshold, importance=model.importance, classes=DOMAIN.classes)
    compare_splits(train, test, metrics_frame(metrics), model, DOMAIN)

    client = registry.connect(Settings().tracking_uri)
    experiment = client.get_experiment_by_name(DOMAIN.name)
    assert experiment is not None, "the champion's training makes it"
    run = client.create_run(experiment.experiment_id)
    served = ServedModel(enricher=enricher, encoder=encoder, scaler=scaler, model=model, request=DOMAIN.request)
    provenance = Provenance("", months[-1].stem, "", "", "", split=DOMAIN.split.to_json(), metrics=metrics)
    version, _ = register_challenger(
        client, DOMAIN, served, run_id=run.info.run_id, provenance=provenance, held_out=raw_records(test, DOMAIN)
    )
    judge(client, DOMAIN, str(version.version), metrics, test)
    print(json.dumps(metrics))


if __name__ == "__main__":
    main()
