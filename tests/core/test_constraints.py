"""What no row may say, whoever writes it: the database refuses it by the constraint's name."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from analytics.models import LakeFile
from strategies.backtest import make_spec
from strategies.models import PriceData, Run
from strategies.services import run_sample
from tradeops.core.events.models import Event, EventStream
from tradeops.core.events.services import record_event
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.services import owe
from tradeops.core.users.models import ApiToken, User
from tradeops.core.users.tokens import make_token

IMPOSSIBLE = [
    ("user_role_known", User, {"role": "king"}),
    ("user_theme_known", User, {"theme": "pink"}),
    ("token_scope_known", ApiToken, {"scope": "all"}),
    ("job_state_known", Job, {"state": "lost"}),
    ("event_number_from_1", Event, {"number": 0}),
    ("event_stream_number_from_0", EventStream, {"last_number": -1}),
    ("run_initial_investment_above_0", Run, {"initial_investment": 0}),
    ("run_fee_bps_from_0", Run, {"fee_bps": -1}),
    ("run_fill_known", Run, {"fill": "yesterday"}),
    ("run_source_known", Run, {"source": "rumor"}),
    ("price_data_has_bars", PriceData, {"bars": 0}),
    ("lakefile_kind_known", LakeFile, {"kind": "gossip"}),
    ("lakefile_format_known", LakeFile, {"file_format": "xls"}),
    ("lakefile_revision_from_1", LakeFile, {"revision": 0}),
]


@pytest.fixture
def one_of_each(alice):
    make_token(alice, name="program")
    run_sample(alice, make_spec({}))
    LakeFile.objects.create(
        key="trades/x.csv", day=timezone.now().date(), kind="trades", file_format="csv", rows=0, size=0, sha256=""
    )
    with transaction.atomic():
        owe("export", "2025-01-15")
        record_event("alerts", "alert", {})


def test_no_row_may_be_impossible(one_of_each):
    for name, model, values in IMPOSSIBLE:
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            model.objects.update(**values)
