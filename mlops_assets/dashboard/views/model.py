"""Model: the champion's metadata, its metrics over the versions, its challenger, its lineage and its inputs."""

import pandas as pd
import streamlit as st

from mlops_assets.dashboard import charts, notices, session
from mlops_assets.dashboard.answers import Lineage, ModelDetail, Versions
from mlops_assets.dashboard.metrics import leading, verdict
from mlops_assets.dashboard.wording import MISSING, class_name, count, metric_title, moment, number

HEADLINE_METRICS = 4
SHOWN_HISTORIES = 2
OWN_HOLDOUT = "Each version was measured on its own holdout"
OWN_BACKTEST = "Each version was measured in its own back-test"


def overview(model: ModelDetail) -> None:
    """What is in service."""
    facts = {
        "Registered model": model.registered_model,
        "Version": model.version,
        "Trained": moment(model.trained_at),
        "Method" if model.forecasts else "Candidate": model.candidate,
        "Task": model.task,
    }
    if not model.forecasts:
        facts["Decision threshold"] = number(model.threshold) if model.threshold is not None and not model.classes else None
        facts["Engine"] = ", ".join(filter(None, (model.engine, model.engine_note)))
        facts["Encoded features"] = f"{len(model.features):,}"
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Metadata", anchor=False)
        listing({name: fact or MISSING for name, fact in facts.items()}, "Property")
        if model.params:
            st.subheader("Parameters", anchor=False)
            listing({name: str(value) for name, value in model.params.items()}, "Parameter")
    with right:
        st.subheader("Metrics in the back-test" if model.forecasts else "Metrics on the holdout", anchor=False)
        names = leading(model.metrics, session.domain())
        listing({metric_title(name, model.classes): number(model.metrics[name]) for name in names}, "Metric")


def history(model: ModelDetail, versions: Versions) -> None:
    """Metrics of every version."""
    names = leading({name for version in versions.versions for name in version.metrics}, session.domain())
    if not names:
        st.info("No version carries metrics.")
        return
    chosen = st.multiselect(
        "Metrics", names, names[:SHOWN_HISTORIES], format_func=lambda name: metric_title(name, model.classes), key=f"history:{model.name}"
    )
    st.plotly_chart(charts.metric_history(versions.versions, chosen, model.classes), config=charts.QUIET)
    st.caption(f"Filled: the champion. {OWN_BACKTEST if model.forecasts else OWN_HOLDOUT}.")
    rows = [
        {
            "Version": version.version,
            "Aliases": ", ".join(version.aliases),
            "Registered": moment(version.created_at),
            "Candidate": version.candidate,
            "Partition": version.partition,
            **{metric_title(name, model.classes): number(version.metrics.get(name)) for name in chosen},
        }
        for version in versions.versions
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)


def comparison(model: ModelDetail, versions: Versions) -> None:
    """Champion and challenger side by side."""
    champion, challenger = versions.with_alias("champion"), versions.with_alias("challenger")
    if champion is None or challenger is None or champion.version == challenger.version:
        st.info(without_challenger(versions))
        return
    for place, version, role in zip(st.columns(2), (champion, challenger), ("Champion", "Challenger"), strict=True):
        with place.container(border=True):
            st.subheader(f"{role}: version {version.version}", anchor=False)
            st.caption(f"{version.candidate or MISSING} · partition {version.partition or MISSING} · {moment(version.created_at)}")
    rows = []
    for name in leading({*champion.metrics, *challenger.metrics}, session.domain()):
        ours, theirs = champion.metrics.get(name), challenger.metrics.get(name)
        rows.append(
            {
                "Metric": metric_title(name, model.classes),
                "Champion": number(ours),
                "Challenger": number(theirs),
                "Difference": f"{theirs - ours:+.4f}" if verdict(name, ours, theirs) and ours is not None and theirs is not None else "",
                "Challenger is": verdict(name, ours, theirs),
            }
        )
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content")
    st.caption(f"{OWN_BACKTEST if model.forecasts else OWN_HOLDOUT}; the promotion check scores both on the same one.")


def without_challenger(versions: Versions) -> str:
    """Why there is nothing to compare the champion with."""
    champion, newest = versions.with_alias("champion"), versions.newest
    if champion is not None and champion == newest:
        return f"The newest version, {champion.version}, is the champion: none has been trained since."
    return f"No version is marked as {'challenger' if champion else 'champion'}, so there are no two to compare."


def lineage(model: ModelDetail) -> None:
    """From the version back to the raw partitions."""
    origin = model.lineage or Lineage()
    facts = {
        "Partition": origin.partition,
        "Dagster run": origin.dagster_run_id,
        "Git commit": origin.git_commit,
        "Code version": origin.code_version,
    }
    listing({name: fact or MISSING for name, fact in facts.items()}, "Origin")
    if not origin.upstream and not origin.ranges:
        st.info("The version does not say which partitions it was trained on.")
        return
    st.subheader("Partitions it was trained on", anchor=False)
    for asset, partitions in origin.upstream.items():
        with st.expander(f"{asset}: {count(len(partitions), 'partition')}", expanded=len(origin.upstream) <= SHOWN_HISTORIES):
            rows = [{"Partition": partition, "Data version": data_version} for partition, data_version in partitions.items()]
            st.dataframe(pd.DataFrame(rows), hide_index=True)
    if origin.ranges:
        ranges = [
            {"Asset": asset, "First": found.first, "Last": found.last, "Partitions": found.count, "Digest of data versions": found.digest}
            for asset, found in origin.ranges.items()
        ]
        st.dataframe(pd.DataFrame(ranges), hide_index=True, height="content")


def inputs(model: ModelDetail) -> None:
    """The record it takes, the classes it knows, and what it computes from a record."""
    rows = [
        {
            "Field": field.name,
            "Type": field.type,
            "May be missing": "yes" if field.may_be_missing else "no",
            "Example": str(field.example),
            "Description": field.description,
            "Categories": ", ".join(field.categories),
        }
        for field in model.request
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content")
    if model.classes:
        st.subheader("Classes", anchor=False)
        st.write(", ".join(class_name(code, model.classes) for code in model.classes))
    if model.features:
        with st.expander(f"{len(model.features)} encoded features"):
            st.write(", ".join(f"`{name}`" for name in model.features))


def listing(values: dict[str, str], name: str) -> None:
    """Names and values as a quiet table."""
    st.table(pd.DataFrame({name: list(values), "Value": list(values.values())}).set_index(name), border="horizontal")


def main() -> None:
    """All of it for the chosen system."""
    model = session.model()
    st.title(f"Model: {model.title}", anchor=False)
    if not model.ready:
        st.info("**No champion yet.**")
        notices.without_champion(model.name)
        return
    st.caption(f"{model.registered_model} version {model.version}, trained {moment(model.trained_at)}.")
    names = leading(model.metrics, session.domain())[:HEADLINE_METRICS]
    for place, name in zip(st.columns(HEADLINE_METRICS), names, strict=False):
        place.metric(metric_title(name, model.classes), number(model.metrics[name]))
    links = {"MLflow": model.links.mlflow, "Dagster": model.links.dagster}
    with st.container(horizontal=True):
        for tool, link in links.items():
            if link:
                st.link_button(f"Open in {tool}", link, icon=":material/open_in_new:")
    versions = session.versions()
    tabs = st.tabs(["Overview", "Versions", "Champion and challenger", "Lineage", "Inputs"])
    with tabs[0]:
        overview(model)
    with tabs[1]:
        history(model, versions)
    with tabs[2]:
        comparison(model, versions)
    with tabs[3]:
        lineage(model)
    with tabs[4]:
        inputs(model)


main()
