"""What no row may say, whoever writes it: the database refuses it by the constraint's name."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from analytics.models import LakeFile
from market.models import Alert, Bar, Mark, Quote, Split
from market.services import record_split
from strategies.backtest import make_spec
from strategies.models import PriceData, Run
from strategies.services import run_sample
from tests.market.test_history import MONDAY, make_bar, make_mark, make_quote
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
    ("quote_price_above_0", Quote, {"price": Decimal(0)}),
    ("alert_price_above_0", Alert, {"price": Decimal("-0.000000000001")}),
    ("bar_timeframe_known", Bar, {"timeframe": "2h"}),
    ("bar_source_known", Bar, {"source": "manual"}),
    ("bar_ends_after_its_start", Bar, {"ends_at": MONDAY}),
    ("bar_prices_above_0", Bar, {"low": Decimal(0)}),
    ("bar_open_and_close_within_low_and_high", Bar, {"open": Decimal(101)}),
    ("bar_open_and_close_within_low_and_high", Bar, {"low": Decimal(101), "high": Decimal(102)}),
    ("bar_volume_from_0", Bar, {"volume": Decimal(-1)}),
    ("mark_price_above_0", Mark, {"price": Decimal(0)}),
    ("mark_withdraws_only_another", Mark, {"price": None}),
    ("split_ratio_above_0", Split, {"old": Decimal(0)}),
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
    make_bar(MONDAY, 100)
    make_mark(MONDAY, 100, alice)
    make_quote(MONDAY, 100)
    record_split("AAPL", MONDAY, Decimal(4), Decimal(1))
    Alert.objects.create(
        instrument_id="AAPL", kind="percent_change", price=100, change_percentage=3, window_seconds=60, threshold=2,
        source="simulated", tick_at=MONDAY, detected_at=MONDAY,
    )  # fmt: skip
    with transaction.atomic():
        owe("export", "2025-01-15")
        record_event("alerts", "alert", {})


def test_no_row_may_be_impossible(one_of_each):
    for name, model, values in IMPOSSIBLE:
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            model.objects.update(**values)
