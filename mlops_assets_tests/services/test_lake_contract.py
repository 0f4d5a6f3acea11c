"""The lake's promises on a folder, a real S3 server and Google Cloud Storage's stand-in: the suite of `storage/test_lake.py`."""

import pytest

from mlops_assets_tests.services.contract import suite_of
from mlops_assets_tests.storage import test_lake

pytestmark = pytest.mark.services

globals().update(suite_of(test_lake, without=frozenset({"tmp_path"})))
