"""The Celery app: how messages are carried and what happens when a worker dies.

Nothing depends on a message: owed work is a row, a message only says "look". So messages may be lost, late or doubled.
`celery -A tradeops worker`, `celery -A tradeops beat`.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")

# The longest job may take half an hour; a message is given to another worker only after that.
HARD_LIMIT_SECONDS, SOFT_LIMIT_SECONDS, VISIBILITY_SECONDS = 1800, 1740, 3600

app = Celery("tradeops")
app.set_default()  # for every thread, not only the one that imported this
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    timezone="UTC",
    enable_utc=True,
    task_ignore_result=True,
    result_expires=None,  # none is kept: beat need not make a row of the schedule that would remove them
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_time_limit=HARD_LIMIT_SECONDS,
    task_soft_time_limit=SOFT_LIMIT_SECONDS,
    worker_prefetch_multiplier=1,
    worker_max_tasks_per_child=500,
    # A child keeps its connection to the database (tradeops/core/jobs/tasks.py looks after it): to open one for each
    # task costs more than everything else between a nudge and the start of its job.
    CELERY_DB_REUSE_MAX=1_000_000,
    worker_redirect_stdouts=False,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=2,
    # A Redis that hangs is noticed: the socket times out, and the worker connects anew.
    broker_transport_options={
        "visibility_timeout": VISIBILITY_SECONDS,
        "socket_connect_timeout": 2,
        "socket_timeout": 10,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.2,
    },
)
app.autodiscover_tasks()
