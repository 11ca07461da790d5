"""Files that come in: imports, uploads, price files."""

from tests.proof.ground import Ground
from tests.proof.register import EMBEDDED, not_yet, tries
from tests.proof.suite import passed_tests

FILES_TRIED = 30


@tries("P13", "twins of one price file (BOM, CRLF, quoted, reversed …); files with two prices or none", world=EMBEDDED)
def a_backtest_is_never_quietly_wrong(ground: Ground) -> str:
    twins = passed_tests(ground, "tests/strategies/test_prices.py", words="twins")
    hostile = passed_tests(ground, "tests/strategies/test_prices.py", words="hostile")
    passed_tests(ground, "tests/strategies/test_api.py", words="too_few_bars")
    assert twins + hostile >= FILES_TRIED, f"{twins + hostile} files"
    return f"{twins} twins read alike to the last bit, {hostile} files refused with row and column"


not_yet("P11", "an import is not tried")
not_yet("P12", "an upload of 200 MB is not tried")
not_yet("P14", "an export is not read back")
not_yet("P36", "a dump under load is not tried")
