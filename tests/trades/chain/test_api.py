"""The chain as a download."""

import pytest

pytestmark = pytest.mark.django_db


def test_the_owner_downloads_the_chain_and_a_stranger_does_not(api, chained, alice, bob, exported):
    answer = api(alice).get(f"/accounts/{chained.pk}/chain")
    assert b"".join(answer.streaming_content).decode() == exported.read_text()
    assert answer["Content-Type"] == "application/x-ndjson"
    assert api(bob).get(f"/accounts/{chained.pk}/chain").status_code == 404
    assert api().get(f"/accounts/{chained.pk}/chain").status_code == 401
    assert api(alice).get(f"/accounts/{chained.pk}/chain?all=1").status_code == 400
