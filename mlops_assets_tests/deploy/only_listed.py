"""Makes a process see what an image has: the standard library, this project, and the distributions that a requirement file lists."""

import sys
import sysconfig
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, DistributionFinder, distribution
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

INSTALLED = sysconfig.get_path("purelib")


def listed(file: Path) -> list[Requirement]:
    """The requirements of a compiled file."""
    return [Requirement(line.rstrip(" \\")) for line in file.read_text().splitlines() if line[:1].isalnum()]


class OnlyListed(MetaPathFinder):
    """Finds installed modules by file, so of a distribution that is installed in two sizes only the listed one's; others are not there."""

    def __init__(self, requirements: Sequence[Requirement]) -> None:
        self._names = {canonicalize_name(item.name) for item in requirements if item.marker is None or item.marker.evaluate()}
        self._files = {str(found.locate_file(file)) for found in map(distribution, self._names) for file in found.files or ()}

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """As the interpreter's own, for what is listed."""
        spec = PathFinder.find_spec(fullname, path, target)
        is_foreign = spec is not None and (spec.origin or "").startswith(INSTALLED) and spec.origin not in self._files
        return None if is_foreign else spec

    def find_distributions(self, context: DistributionFinder.Context | None = None) -> Iterator[Distribution]:
        """As the interpreter's own, for what is listed: entry points and versions."""
        found = PathFinder.find_distributions(context or DistributionFinder.Context())
        return (item for item in found if canonicalize_name(item.metadata["Name"]) in self._names)


def see_only(file: str) -> None:
    """From now on nothing is imported that the requirement file does not list."""
    finder = OnlyListed(listed(Path(file)))
    sys.meta_path[:] = [finder if found is PathFinder else found for found in sys.meta_path]
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(INSTALLED):
            del sys.modules[name]  # what this module itself has needed
