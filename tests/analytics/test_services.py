"""The rules of an export, whoever asks; and the one spelling of a decimal, in the lake as in the API."""

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from analytics.layout import plain
from analytics.models import ExportJob
from analytics.services import request_export
from tradeops.core import api


@pytest.mark.parametrize(("day", "code"), [(dt.date(1899, 12, 31), "min_value"), (dt.date(9999, 12, 31), "max_value")])
def test_a_day_that_can_have_no_files_is_not_owed(alice, day, code):
    with pytest.raises(ValidationError) as refused:
        request_export(day, alice)
    assert refused.value.code == code
    assert not ExportJob.objects.exists()


def test_today_may_be_asked_for(alice):
    assert request_export(timezone.now().date(), alice).state == "queued"


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_the_lake_spells_a_decimal_as_the_api_does(number):
    assert plain(number) == api.plain(number)
