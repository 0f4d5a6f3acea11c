"""Digests of source code, so that stored data say which code made them and a change of code is noticed."""

import hashlib
import os
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mlops_assets.settings import PROJECT_DIR


@cache
def code_digest(*modules: str) -> str:
    """64-bit hash of the modules' source files; a package counts with all its files."""
    digest = hashlib.blake2b(digest_size=8)
    for module in sorted(modules):
        for path in _sources(module):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(module: str) -> list[Path]:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source of {module}")
    path = Path(spec.origin)
    return sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]


@cache
def git_commit() -> str:
    """The checkout's commit, with `+changes` if files differ from it; outside a checkout what the image was built from, or `unknown`."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(PROJECT_DIR), *words], capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("MLOPS_GIT_COMMIT") or "unknown"
