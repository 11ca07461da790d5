"""How far something has come, as the API tells it."""

import pytest

from strategies.standing import Standing
from tradeops.core.jobs.models import State


@pytest.mark.parametrize(
    ("standing", "told", "is_finished"),
    [
        (Standing(State.QUEUED, 0), {"status": "queued", "progress": 0}, False),
        (Standing(State.RUNNING, 40, attempt=2), {"status": "running", "progress": 40}, False),
        (
            Standing(State.RETRYING, 40, 2, "It died."),
            {"status": "retrying", "progress": 40, "attempt": 2, "reason": "It died."},
            False,
        ),
        (Standing(State.FAILED, 40, 3, "No."), {"status": "failed", "progress": 40, "reason": "No."}, True),
        (Standing(State.SUCCEEDED, 100), {"status": "succeeded", "progress": 100}, True),
    ],
)
def test_the_attempt_is_told_while_it_is_tried_again_and_the_reason_where_there_is_one(standing, told, is_finished):
    assert (standing.told(), standing.is_finished) == (told, is_finished)
