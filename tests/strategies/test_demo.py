"""The demo's run: there after the first start, and only once."""

import pytest

from strategies.demo import load_demo
from strategies.models import Run

pytestmark = pytest.mark.django_db


def test_the_demo_run_is_made_once(alice):
    assert load_demo(alice) == load_demo(alice)
    run = Run.objects.get()
    assert (run.owner, run.source, len(run.tickers)) == (alice, "sample", 4)
