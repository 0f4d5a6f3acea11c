"""Frames and artifacts on every kind of lake: the suite of `storage/test_io_managers.py`, but for what looks into a folder's files."""

import pytest

from mlops_assets_tests.services.contract import suite_of
from mlops_assets_tests.storage import test_io_managers

pytestmark = pytest.mark.services

globals().update(suite_of(test_io_managers, without=frozenset({"tmp_path", "signatures_checked"})))
