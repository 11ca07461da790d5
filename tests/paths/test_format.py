"""The browser writes numbers as the server does: one form for both, held together here."""

import json

import pytest

from tradeops.templatetags import desk as tags

pytestmark = [pytest.mark.browser, pytest.mark.embedded]

VALUES = ["0", "-0.001", "0.005", "1234.5", "-1234567.891", "150.25", "0.000000000001", "1e3", "", None, 99.999, -3]


@pytest.mark.parametrize(("name", "places"), [("figure", 2), ("figure", 0), ("signed", 2), ("tone", 2)])
def test_the_browser_writes_numbers_as_the_server_does(visit, name, places):
    page = visit("/desk/style/")
    script = (
        "([name, places, values]) => import('/static/js/format.js').then((m) => values.map((v) => m[name](v, places)))"
    )
    written = page.evaluate(script, [name, places, VALUES])
    server = [str(getattr(tags, name)(value, places)) for value in VALUES]
    assert dict(zip(map(json.dumps, VALUES), written, strict=True)) == dict(
        zip(map(json.dumps, VALUES), server, strict=True)
    )
