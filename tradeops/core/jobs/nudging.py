"""The nudge: telling a runner, after the commit, that something is owed.

Only a hint that saves the wait for the next sweep. With a broker it is a Celery message, published by a thread of its
own, so that a broker that is away or hanging never holds up a request; without one it wakes the runner of this process.
"""

import logging
import os
import threading

from celery import current_app, uuid
from django.conf import settings
from kombu import Producer

logger = logging.getLogger(__name__)

RUN_OWED, SWEEP = "jobs.run_owed", "jobs.sweep"  # what Celery knows the tasks by; the schedule's rows too
NUDGES = (RUN_OWED, SWEEP)  # they do what is owed, and are sent; every other task of the schedule owes, and is called
# Set: the runner thread of this process looks for work at once.
wake = threading.Event()


def pass_on() -> None:
    """Nudge whoever runs jobs here. Returns at once and never fails."""
    if settings.REDIS_URL:
        publisher.nudge()
    else:
        wake.set()


class Publisher:
    """One thread that publishes nudges; those that come while one is on its way become one."""

    def __init__(self):
        self.wanted = threading.Event()
        self.lock = threading.Lock()
        self.process: int | None = None

    def nudge(self) -> None:
        self.wanted.set()
        with self.lock:
            if self.process != os.getpid():  # a thread does not live on in a forked child
                threading.Thread(target=self.run, name="nudge", daemon=True).start()
                self.process = os.getpid()

    def run(self) -> None:
        while True:
            self.wanted.wait()
            self.wanted.clear()
            publish()


def publish() -> None:
    """Send one message. What goes wrong is logged and dropped: the sweep is the guarantee."""
    try:
        with current_app.producer_or_acquire() as producer:
            send_by(producer)
    except Exception as error:  # any failure of the broker, its driver or the network
        logger.warning("A nudge could not be sent: %s", type(error).__name__)


def send_by(producer: Producer) -> None:
    """What `send_task(RUN_OWED)` does, without its search for options, route and queue, which takes as long."""
    app = current_app
    message = app.amqp.create_task_message(uuid(), RUN_OWED, ignore_result=True)
    about = {"headers": message.headers, **message.properties}
    producer.publish(message.body, routing_key=app.conf.task_default_queue, serializer="json", **about)


publisher = Publisher()
