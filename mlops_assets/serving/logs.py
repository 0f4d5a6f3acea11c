"""How the server logs: its own messages as text, requests as one JSON object a line."""

import logging
from datetime import UTC, datetime
from typing import Any

import orjson


class AccessFormatter(logging.Formatter):
    """uvicorn's record of an answered request as JSON: time, client, method, path, status."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        if not isinstance(record.args, tuple):
            return super().format(record)
        client, method, path, _, status = record.args
        moment = datetime.fromtimestamp(record.created, UTC)
        return orjson.dumps({"time": moment, "client": client, "method": method, "path": path, "status": status}).decode()


def log_config() -> dict[str, Any]:
    """For `logging.config.dictConfig`: all of it to standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
            "access": {"()": f"{__name__}.{AccessFormatter.__name__}"},
        },
        "handlers": {
            "text": {"class": "logging.StreamHandler", "formatter": "text"},
            "access": {"class": "logging.StreamHandler", "formatter": "access"},
        },
        "loggers": {
            "mlops_assets": {"handlers": ["text"], "level": "INFO", "propagate": False},
            "uvicorn": {"handlers": ["text"], "level": "WARNING", "propagate": False},
            "uvicorn.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
        },
    }
