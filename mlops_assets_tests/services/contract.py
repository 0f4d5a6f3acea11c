"""Suites that hold a promise, collected again on the real servers: the fixtures of this folder stand in for those beside them."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

Tests = dict[str, Callable[..., Any]]


def suite_of(module: ModuleType, *, without: frozenset[str] = frozenset()) -> Tests:
    """The module's test functions by name, but for those that ask for a fixture of `without`: they hold one kind of store only."""
    functions = {name: value for name, value in vars(module).items() if name.startswith("test_") and inspect.isfunction(value)}
    return {name: test for name, test in functions.items() if not without & set(inspect.signature(test).parameters)}
