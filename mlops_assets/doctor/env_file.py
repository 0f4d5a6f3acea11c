"""The file `.env`: lines that cannot be read, which its readers pass over with nothing but a line in a log."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from mlops_assets.doctor.problem import Part, Problem


def unread(file: Path) -> Iterator[Problem]:
    """What is not read of it, by line; no line is shown. That there is no such file is no problem."""
    if file.is_dir():
        yield Problem(Part.SETTINGS, f"{file} is a folder: no setting is read from it", "put a file in its place, or remove it")
    if not file.is_file():
        return
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        yield Problem(Part.SETTINGS, f"{file}, line {line}: is no UTF-8, so nothing of the file is read", "save the file as UTF-8")
        return
    except OSError as error:
        yield Problem(Part.SETTINGS, f"{file} cannot be read: {error.strerror}", "give this user the right to read it")
        return
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            what = f"{file}, line {binding.original.line}: cannot be read, so what it sets is not set"
            yield Problem(Part.SETTINGS, what, "write NAME=value, with a quote at both ends of the value or at none")
