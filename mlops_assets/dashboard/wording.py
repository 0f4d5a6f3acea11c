"""How names, numbers, times and classes are written for people. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

ACRONYMS = {"auc": "AUC", "roc": "ROC", "f1": "F1", "mae": "MAE", "mase": "MASE", "mcc": "MCC", "id": "ID", "pr": "PR"}
MISSING = "n/a"
STEPS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def title(name: str) -> str:
    """`macro_f1` -> `Macro F1`."""
    text = " ".join(ACRONYMS.get(word, word) for word in name.split("_"))
    return first_capital(text)


def metric_title(name: str, classes: Mapping[int, str] | None) -> str:
    """`f1_1` -> `F1 of Lodgepole Pine (1)`; the others as `title`."""
    stem, _, code = name.rpartition("_")
    return f"{title(stem)} of {class_name(code, classes)}" if stem and code.isdecimal() and classes else title(name)


def number(value: float | None) -> str:
    """Whole numbers with thousands separators, small ones with three decimals: `12,000`, `0.882`."""
    if value is None or value != value:
        return MISSING
    if float(value).is_integer() and abs(value) >= 2:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.1f}"


def moment(time: datetime | None) -> str:
    """`12 May 2025, 14:03 UTC`."""
    return f"{time.astimezone(UTC):%-d %b %Y, %H:%M} UTC" if time else MISSING


def ago(time: datetime | None, now: datetime) -> str:
    """`3 hours ago`."""
    if not time:
        return ""
    seconds = (now - time).total_seconds()
    for length, unit in STEPS:
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def class_name(label: Any, classes: Mapping[int, str] | None) -> str:
    """The class with its code, `Lodgepole Pine (1)`; `yes` or `no` where there are only two."""
    if classes:
        return f"{classes[int(label)]} ({int(label)})" if int(label) in classes else str(label)
    return "yes" if label else "no"


def class_names(classes: Mapping[int, str] | None) -> list[str]:
    """All classes in the order of their codes, as `class_name` writes them."""
    return [class_name(code, classes) for code in (sorted(classes) if classes else (0, 1))]


def first_capital(text: str) -> str:
    """`the whole city` -> `The whole city`."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """`no key` -> `No key.`"""
    return first_capital(text) + ("" if text.endswith((".", "!", "?")) else ".")


def count(rows: int, noun: str) -> str:
    """`1 record`, `12,000 records`."""
    return f"{rows:,} {noun}{'' if rows == 1 else 's'}"
