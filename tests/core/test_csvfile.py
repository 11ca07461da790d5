"""The strict CSV reader and the safe writer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeops.core.csvfile import CsvError, read_rows, safe_text, unsafe_text, write_rows

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n1,2\n",
        b"\xef\xbb\xbfa,b\n1,2\n",
        b"a,b\r\n1,2\r\n",
        b'"a","b"\n"1","2"',
        b"a,b\n\n1,2\n\n",
    ],
)
def test_twins_of_a_file_read_alike(data):
    assert [fields for _, fields in read_rows(data)] == [["a", "b"], ["1", "2"]]


def test_rows_are_numbered_by_their_first_line():
    rows = list(read_rows(b'a,b\n"x\ny",2\n3,4\n'))
    assert rows == [(1, ["a", "b"]), (2, ["x\ny", "2"]), (4, ["3", "4"])]


@pytest.mark.parametrize(
    ("data", "row", "code"),
    [
        (b"a,b\n1\n", 2, "ragged"),
        (b"a,b\n1,2\n1,2,3\n", 3, "ragged"),
        (b'a,b\n1,"2\n', 2, "malformed"),
        (b'a,b\n1,"2"x\n', 2, "malformed"),
        (b"a,b\n1,\x00\n", 2, "nul"),
        (b"a,b\n\xff,1\n", 2, "encoding"),
        (b"a\n" + b"x" * 5000 + b"\n", 2, "too_long"),
        (b"," * 300 + b"\n", 1, "too_many_columns"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_with_its_row(data, row, code):
    with pytest.raises(CsvError) as caught:
        list(read_rows(data))
    assert (caught.value.row, caught.value.code) == (row, code)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")))
def test_safe_text_never_starts_a_formula_and_comes_back(text):
    assert not safe_text(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert unsafe_text(safe_text(text)) == text


def test_written_rows_end_in_a_line_feed():
    assert "".join(write_rows([["a", 'say "x"'], [1, "b,c"]])) == 'a,"say ""x"""\n1,"b,c"\n'
