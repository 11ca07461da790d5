"""Declared parameters and the specification made of them: what is taken, what is refused by name."""

import pytest

from strategies.backtest import Spec, make_spec
from strategies.parameters import Parameter, ParameterError
from strategies.terms import Terms

pytestmark = pytest.mark.pure

DEFAULTS = Spec("ma_crossover", {"fast": 50, "slow": 200, "average": "sma"}, Terms())


def problems(given: dict) -> list[tuple[str, str]]:
    with pytest.raises(ParameterError) as caught:
        make_spec(given)
    return [(problem.field, problem.code) for problem in caught.value.problems]


def test_what_is_left_out_has_its_default():
    assert make_spec({}) == DEFAULTS


def test_texts_and_numbers_are_taken_alike():
    told = {"fast": "5", "slow": "20", "initial_investment": "2500.50", "fee_bps": "2.5", "fill": "next_open"}
    numbers = {"fast": 5, "slow": 20.0, "initial_investment": 2500.5, "fee_bps": 2.5, "fill": "next_open"}
    expected = Spec("ma_crossover", {"fast": 5, "slow": 20, "average": "sma"}, Terms(2500.5, "next_open", 2.5))
    assert make_spec(told) == make_spec(numbers) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"fast": "0"}, [("fast", "min_value")]),
        ({"fast": "-1"}, [("fast", "min_value")]),
        ({"slow": "10001"}, [("slow", "max_value")]),
        ({"fast": "5.5"}, [("fast", "invalid")]),
        ({"fast": ""}, [("fast", "invalid")]),
        ({"fast": "1_0"}, [("fast", "invalid")]),
        ({"fast": "١٠"}, [("fast", "invalid")]),
        ({"fast": "9" * 5000}, [("fast", "invalid")]),
        ({"fast": True}, [("fast", "invalid")]),
        ({"fast": None}, [("fast", "invalid")]),
        ({"fast": [50]}, [("fast", "invalid")]),
        ({"fast": "200", "slow": "200"}, [("fast", "fast_below_slow")]),
        ({"fast": "201"}, [("fast", "fast_below_slow")]),
        ({"fee_bps": "nan"}, [("fee_bps", "invalid")]),
        ({"fee_bps": float("inf")}, [("fee_bps", "invalid")]),
        ({"fee_bps": "1001"}, [("fee_bps", "max_value")]),
        ({"fee_bps": "-0.1"}, [("fee_bps", "min_value")]),
        ({"initial_investment": "0"}, [("initial_investment", "min_value")]),
        ({"initial_investment": "1e6"}, [("initial_investment", "invalid")]),
        ({"initial_investment": "1000000000001"}, [("initial_investment", "max_value")]),
        ({"fill": "open"}, [("fill", "invalid_choice")]),
        ({"strategy": "nope"}, [("strategy", "invalid_choice")]),
        ({"moon": "1"}, [("moon", "unknown")]),
        (
            {"moon": "1", "fast": "x", "fill": ""},
            [("moon", "unknown"), ("fast", "invalid"), ("fill", "invalid_choice")],
        ),
    ],
)
def test_a_wrong_value_is_refused_by_name(given, expected):
    assert problems(given) == expected


def test_a_refusal_repeats_the_value_but_never_all_of_a_long_one():
    with pytest.raises(ParameterError, match="“abc”"):
        make_spec({"fast": "abc"})
    with pytest.raises(ParameterError) as caught:
        make_spec({"fast": "x\x1b[31m" + "y" * 10_000})
    assert len(str(caught.value)) < 200
    assert "\x1b" not in str(caught.value)


def test_a_declaration_can_be_told_as_json():
    told = Parameter("fast", "integer", 50, "Bars.", 1, 5000, 1, unit="bars").described()
    expected = {"name": "fast", "type": "integer", "default": 50, "help": "Bars."}
    assert told == expected | {"minimum": 1, "maximum": 5000, "step": 1, "unit": "bars"}
