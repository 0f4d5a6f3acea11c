"""The look: colours, and the options that Streamlit is started with. Values only."""

from pathlib import Path

ENTRY = Path(__file__).with_name("app.py")

INK = "#1f2933"
MUTED = "#66727f"
LINE = "#e3e7eb"
SURFACE = "#f6f7f9"
ACCENT = "#1f5f8b"

CLASS_COLOURS = ("#2f6f9f", "#d98032", "#4c9a6a", "#b5504d", "#8268a8", "#8c6d53", "#c77ba3", "#7a8793", "#a8a23a", "#3fa3ad")
"""By class code; a class has one colour on every chart."""
DIVERGING = ((0.0, "#b5504d"), (0.5, "#f6f7f9"), (1.0, "#2f6f9f"))

OPTIONS = {
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.toolbarMode": "viewer",
    "runner.magicEnabled": "false",
    "server.fileWatcherType": "none",
    "server.headless": "true",
    "server.maxUploadSize": "100",
    "theme.base": "light",
    "theme.baseFontSize": "15",
    "theme.baseRadius": "6px",
    "theme.backgroundColor": "#ffffff",
    "theme.borderColor": LINE,
    "theme.headingFontSizes": '["1.7rem", "1.3rem", "1.1rem"]',
    "theme.headingFontWeights": "600",
    "theme.metricValueFontSize": "1.6rem",
    "theme.primaryColor": ACCENT,
    "theme.secondaryBackgroundColor": SURFACE,
    "theme.textColor": INK,
}


def command_line(host: str, port: int) -> list[str]:
    """The arguments of `streamlit` that start the dashboard."""
    options = {"server.address": host, "server.port": str(port), **OPTIONS}
    return ["run", str(ENTRY), *(f"--{name}={value}" for name, value in options.items())]


def class_colour(code: int) -> str:
    """The colour of a class."""
    return CLASS_COLOURS[code % len(CLASS_COLOURS)]
