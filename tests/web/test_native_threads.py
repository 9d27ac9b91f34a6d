"""What runs beside the loop of the web process asks Valkey too."""

from __future__ import annotations

import subprocess
import sys

import redis

BOTH_IN_TURN = """
import gevent.monkey; gevent.monkey.patch_all()
from callcenter.events import streams
from web.http import off_loop
for n in range(20):
    streams.client().set("n", n)
    assert off_loop(lambda: streams.client().get("n")) == str(n).encode()
print("all went well")
"""


def test_the_loop_and_a_native_thread_ask_valkey_in_turn(redis_client: redis.Redis) -> None:
    done = subprocess.run([sys.executable, "-c", BOTH_IN_TURN], capture_output=True, text=True, timeout=30)
    assert done.stdout == "all went well\n", done.stderr
