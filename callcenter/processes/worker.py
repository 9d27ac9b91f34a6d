"""The worker: runs the jobs that take longer than a request (imports first).

Each job runs in a forked child, so its memory is given back and its crash takes nothing with it. SIGTERM lets the job
at hand finish; a killed worker's import is found by its lease and run again (`crm.jobs.imports.recover`).
"""

from __future__ import annotations

import os

import redis
from rq import Queue, Worker

from callcenter import config
from callcenter.db.models import load_all
from callcenter.log import set_up
from crm.jobs import imports

QUEUES = (imports.QUEUE, "default")


def main() -> None:
    """Work until told to stop."""
    settings = config.load()
    set_up("worker", settings.log_level)
    load_all()
    # rq blocks on the queue for minutes: the connection must not time out while nothing comes.
    connection = redis.Redis.from_url(settings.redis_url, health_check_interval=30)
    queues = [Queue(name, connection=connection) for name in QUEUES]
    worker = Worker(queues, connection=connection, name=f"worker-{os.getpid()}-{os.urandom(3).hex()}")
    worker.work(logging_level="WARNING")


if __name__ == "__main__":
    main()
