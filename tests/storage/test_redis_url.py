"""What a URL of a Redis may be, and what it never gives away."""

from __future__ import annotations

import subprocess
import sys

import pytest

from crony import errors
from crony.storage import open_store
from crony.storage.redis import RedisStore

SECRET = "a-password-of-a-test"


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        f"redis://:{SECRET}@/0",
        f"redis://:{SECRET}@host:port/0",
        f"redis://:{SECRET}@host/name",
        f"redis://:{SECRET}@host/0?socket_timeout=soon",
        f"redis://:{SECRET}@host/0?colour=blue",
    ],
)
def test_one_that_names_no_server_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(errors.InvalidSetting) as caught:
        open_store(url)
    assert SECRET not in str(caught.value)


def test_the_package_that_is_missing_is_named() -> None:
    script = (
        "import sys; sys.modules['msgpack'] = None\n"
        "from crony.storage import open_store\n"
        "open_store('redis://127.0.0.1:1/0')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "InvalidSetting" in done.stderr
    assert "pip install '.[redis]'" in done.stderr


def test_a_redis_store_is_what_both_schemes_name() -> None:
    for scheme in ("redis", "rediss"):
        assert isinstance(open_store(f"{scheme}://127.0.0.1:6379/0"), RedisStore)
