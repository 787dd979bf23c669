"""What all tests share."""

import pytest

# Before any test imports them: the asserts of the shipped suite say what they compared.
pytest.register_assert_rewrite("crony.testing.storage")

pytest_plugins = [
    "tests.completeness",
    "tests.drivers",
    "tests.folders",
    "tests.sharing_out",
]
