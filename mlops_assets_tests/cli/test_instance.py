"""Dagster's instance, made by several commands at once."""

import sqlite3
import subprocess
import sys
from pathlib import Path

OPENS = """
import sys
from mlops_assets.cli.instance import open_instance
print("ready", flush=True)
sys.stdin.readline()
with open_instance():
    pass
"""


def _revisions(folder: Path) -> dict[str, list[tuple[str]]]:
    """What each database says of its schema."""
    found = {}
    for file in sorted(folder.rglob("*.db")):
        with sqlite3.connect(file) as database:
            found[file.name] = database.execute("SELECT version_num FROM alembic_version").fetchall()
        database.close()
    return found


def _opened_by(processes: int, home: Path) -> dict[str, list[tuple[str]]]:
    """The databases that so many processes make together."""
    environment = {"DAGSTER_HOME": str(home), "MLOPS_HOME": str(home), "PYTHONWARNINGS": "ignore"}
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    opening = [
        subprocess.Popen([sys.executable, "-c", OPENS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        for _ in range(processes)
    ]
    for process in opening:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in opening:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in opening:
        process.communicate()
    assert [process.returncode for process in opening] == [0] * processes
    return _revisions(home)


def test_processes_that_make_the_instance_at_once_make_what_one_makes(tmp_path: Path) -> None:
    alone = _opened_by(1, tmp_path / "alone")

    assert set(alone) >= {"runs.db", "schedules.db"}
    assert _opened_by(4, tmp_path / "together") == alone
