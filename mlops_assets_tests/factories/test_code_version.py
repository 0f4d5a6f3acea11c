"""Digests that change with the code, and the commit of the checkout."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.factories import code_version
from mlops_assets.factories.code_version import code_digest, git_commit


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """Digests and commits are remembered for a process's life; here the code changes."""
    for remembered in (code_digest, git_commit):
        remembered.cache_clear()
    yield
    for remembered in (code_digest, git_commit):
        remembered.cache_clear()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable package with a module and a subpackage."""
    folder = tmp_path / "made_up_package"
    (folder / "deeper").mkdir(parents=True)
    for name in ("__init__.py", "transforms.py", "deeper/__init__.py", "deeper/nearest.py"):
        (folder / name).write_text(f'"""{name}"""\n')
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.startswith("made_up_package")]:
        del sys.modules[name]


def _digest(*modules: str) -> str:
    code_digest.cache_clear()
    return code_digest(*modules)


def test_digest_changes_with_the_modules_source_and_back(package: Path) -> None:
    before = _digest("made_up_package.transforms")

    (package / "transforms.py").write_text("FEET = 0.3048\n")
    changed = _digest("made_up_package.transforms")
    (package / "transforms.py").write_text('"""transforms.py"""\n')

    assert len(before) == 16
    assert changed != before
    assert _digest("made_up_package.transforms") == before


def test_digest_of_a_package_counts_every_file_below_it(package: Path) -> None:
    before = _digest("made_up_package")

    (package / "deeper" / "nearest.py").write_text("FEET = 0.3048\n")

    assert _digest("made_up_package") != before


def test_digest_ignores_what_was_not_named(package: Path) -> None:
    before = _digest("made_up_package.transforms")

    (package / "deeper" / "nearest.py").write_text("FEET = 0.3048\n")
    (package / "notes.txt").write_text("not code")

    assert _digest("made_up_package.transforms") == before


def test_digest_does_not_depend_on_the_order_of_modules(package: Path) -> None:
    names = ["made_up_package.transforms", "made_up_package.deeper.nearest"]

    assert _digest(*names) == _digest(*reversed(names))


def test_digest_of_an_unknown_module_says_which(package: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="made_up_package.absent"):
        code_digest("made_up_package.absent")


def test_commit_is_the_checkouts_and_tells_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", "-C", str(tmp_path), *identity, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    monkeypatch.setattr(code_version, "PROJECT_DIR", tmp_path)
    git("init", "--quiet")
    (tmp_path / "code.py").write_text("ONE = 1\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "First")

    head = git("rev-parse", "HEAD")
    assert git_commit() == head
    (tmp_path / "code.py").write_text("ONE = 2\n")
    git_commit.cache_clear()
    assert git_commit() == f"{head}+changes"


def test_commit_outside_a_checkout_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_version, "PROJECT_DIR", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert git_commit() == "unknown"
    git_commit.cache_clear()
    monkeypatch.setenv("PATH", "")
    assert git_commit() == "unknown"


def test_commit_in_an_image_is_the_one_that_it_was_built_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_version, "PROJECT_DIR", tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("MLOPS_GIT_COMMIT", "c0ffee")

    assert git_commit() == "c0ffee"
