"""The one JSON parser in front of the API: what two readers could read in two ways is refused."""

import json
import re
from decimal import Decimal, InvalidOperation
from functools import cache

import orjson
from rest_framework import exceptions
from rest_framework.parsers import BaseParser

MAX_DEPTH, MAX_MEMBERS = 64, 1000
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
BRACKETS = re.compile(rb"[\[\]{}]")


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 means it: no duplicate keys, no NaN, bounded depth and objects, sound text.

    Numbers with a point arrive as Decimal, exactly as they were sent.
    """

    media_type = "application/json"
    parse_number = Decimal

    def parse(self, stream, media_type=None, parser_context=None):
        return parse_json(stream.read(), self.parse_number)


def parse_json(body: bytes, parse_number=Decimal):
    """The value of a JSON body. Raises DRF's ParseError, which says what is wrong."""
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and is_too_deep(body):
        raise exceptions.ParseError(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
    try:
        text = body.decode("utf-8")
        value = decoder(parse_number).decode(text)
    except UnicodeDecodeError as error:
        raise exceptions.ParseError("The body is not UTF-8 text.") from error
    except (ValueError, InvalidOperation, RecursionError) as error:
        # Python's own words for a number that is too long say how to lift its limit.
        fault = "a number has too many digits." if "set_int_max_str_digits" in str(error) else error
        raise exceptions.ParseError(f"The body is not JSON: {fault}") from error
    if "\\u" in text:
        check_text(value)
    return value


@cache
def decoder(parse_number) -> json.JSONDecoder:
    return json.JSONDecoder(parse_float=parse_number, parse_constant=refuse_constant, object_pairs_hook=unique_keys)


def write_json(value) -> bytes:
    """The bytes that DRF's renderer would write, of what JSON knows by itself."""
    return old_line_ends(orjson.dumps(value).decode()).encode()


def old_line_ends(text: str) -> str:
    """JSON with two characters escaped that JavaScript of old read as ends of lines."""
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def is_too_deep(body: bytes) -> bool:
    """Whether more than MAX_DEPTH brackets are open at once; no further is looked than the first such place."""
    depth = 0
    for bracket in BRACKETS.finditer(STRINGS.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def refuse_constant(name: str):
    raise ValueError(f"{name} is not a JSON number.")


def unique_keys(pairs: list[tuple[str, object]]) -> dict:
    if len(pairs) > MAX_MEMBERS:  # which no field needs, and whoever refuses it later keeps for a while
        raise ValueError(f"an object has more than {MAX_MEMBERS:,} members.")
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"the key {ascii(twice)[:80]} stands there twice.")
    return result


def check_text(value) -> None:
    """Refuses NUL and lone surrogates anywhere in a parsed value: no database keeps them."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise exceptions.ParseError("The body holds text with a NUL or half a surrogate pair.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            check_text(key)
            check_text(inner)
    elif isinstance(value, list):
        for inner in value:
            check_text(inner)
