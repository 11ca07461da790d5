"""What a newcomer finds under Strategies: one run on the sample data."""

from strategies import services
from strategies.backtest import make_spec
from strategies.models import Run


def load_demo(user) -> Run:
    """The demo user's run of the default strategy on the sample data; made once."""
    return services.run_sample(user, make_spec({}))
