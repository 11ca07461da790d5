"""OPTIONS answers at every address, whether its row is there or not."""

import pytest

from tests.factories import bearer

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("address", ["/trades/", "/trades/1", "/alerts/1", "/watchlists/1", "/positions/AAPL"])
def test_what_an_address_is_for_is_told(client, alice, address):
    answer = client.options(address, headers=bearer(alice, "trade"))
    assert (answer.status_code, sorted(answer.json())) == (200, ["description", "name", "parses", "renders"])
