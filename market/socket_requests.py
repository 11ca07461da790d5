"""What a client may say on the live socket, read strictly: the value, or why it is refused."""

from collections.abc import Mapping

from rest_framework.exceptions import ParseError

from tradeops.core.strict_json import parse_json

from .client import CHANNELS
from .tickers import TICKER_CHARACTERS

MAX_TICKERS = 1_000
MAX_NUMBER = 2**63 - 1
KEYS = {
    "authenticate": {"token"},
    "subscribe": {"tickers", "channels"},
    "unsubscribe": {"tickers", "channels"},
    "ping": {"id", "ts"},
    "resume": {"events", "seq", "epoch"},
}


class Refused(Exception):
    """A frame that is not understood or not allowed. `is_malformed` frames are counted."""

    def __init__(self, code: str, message: str, *, is_malformed: bool = True):
        super().__init__(message)
        self.code, self.message, self.is_malformed = code, message, is_malformed

    def frame(self) -> dict:
        return {"type": "error", "code": self.code, "message": self.message}


def read_request(text: str | None) -> tuple[str, dict]:
    """The action of a frame and its other keys. Raises Refused."""
    if text is None:
        raise Refused("malformed", "Frames are text, not binary.")
    try:
        request = parse_json(text.encode("utf-8"), parse_number=float)
    except (ParseError, UnicodeEncodeError) as error:
        raise Refused("malformed", f"The frame is not JSON as it is taken here: {str(error)[:200]}") from error
    if not isinstance(request, dict):
        raise Refused("malformed", "A frame is a JSON object.")
    action = request.pop("action", None)
    if not isinstance(action, str) or action not in KEYS:
        raise Refused("unknown_action", f"action must be one of {', '.join(sorted(KEYS))}.")
    unknown = sorted(set(request) - KEYS[action])
    if unknown:
        raise Refused("unknown_field", f"{action} does not know {ascii(unknown[0])[:80]}.")
    return action, request


def read_names(request: Mapping, key: str) -> list[str] | None:
    """A list of short texts, each once, or None where the key is left out."""
    if key not in request:
        return None
    names = request[key]
    if not isinstance(names, list) or len(names) > MAX_TICKERS:
        raise Refused("invalid", f"{key} must be a list of at most {MAX_TICKERS:,}.")
    if not all(isinstance(name, str) and 0 < len(name) <= TICKER_CHARACTERS for name in names):
        raise Refused("invalid", f"{key} must hold texts of 1 to {TICKER_CHARACTERS} characters.")
    return list(dict.fromkeys(names))


def read_channels(request: Mapping) -> list[str] | None:
    channels = read_names(request, "channels")
    unknown = [channel for channel in channels or () if channel not in CHANNELS]
    if unknown:
        message = f"{unknown[0]!a} is no channel; there are {', '.join(sorted(CHANNELS))}."
        raise Refused("unknown_channel", message, is_malformed=False)
    return channels


def read_event_numbers(request: Mapping) -> dict[str, int]:
    """`events` of a resume: {"alerts": n, "user": n}, either may be left out."""
    events = request.get("events")
    if not isinstance(events, dict) or not set(events) <= {"alerts", "user"}:
        raise Refused("invalid", 'events must be an object with "alerts" and "user".')
    for name, number in events.items():
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_NUMBER:
            raise Refused("invalid", f"events.{name} must be a whole number from 0 on.")
    return events


def read_token(request: Mapping) -> str:
    token = request.get("token")
    if not isinstance(token, str):
        raise Refused("invalid", "token must be a text.")
    return token
