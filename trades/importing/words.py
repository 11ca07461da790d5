"""The words brokers use for what a row is: a purchase, a sale, or an activity."""

TRADE = "trade"
BUY, SELL = "BUY", "SELL"
_WORDS = {
    BUY: "buy|b|bot|bought|buys|purchase|purchased|you bought|market buy|limit buy|stop buy|stop limit buy|"
    "buy to open|buy to cover|buy to close|cover|cover short|buy limit|buy market",
    SELL: "sell|s|sld|sold|sells|sale|you sold|market sell|limit sell|stop sell|stop limit sell|sell to close|"
    "sell to open|sell short|sold short|short sale|short sell|short|sell limit|sell market",
    TRADE: "trade|trades|fill|execution|order|stock trade|equity trade",
    "deposit": "deposit|deposits|cash deposit|cash in",
    "withdrawal": "withdrawal|withdrawals|withdraw|cash withdrawal|cash out",
    "interest": "interest|bank interest|credit interest|interest on cash|interest income",
    "fee": "fee|fees|account fee|service fee|custody fee",
    "dividend": "dividend|dividends|div|cash dividend|cash div|qualified dividend|ordinary dividend",
    "return_of_capital": "return of capital|roc",
    "split": "split|stock split|forward split",
    "reverse_split": "reverse split|reverse stock split|consolidation",
    "symbol_change": "symbol change|ticker change|name change",
    "transfer_in": "transfer in|transferred in|acat in",
    "transfer_out": "transfer out|transferred out|acat out",
    "method_change": "method change",
}
# A broker's word for the account's kind, and not for the row's, says nothing.
SAYS_NOTHING = frozenset({"cash", "margin", "shares"})
# "YOU BOUGHT APPLE INC (AAPL) (Cash)": the word, and then the security's name.
BEGINNINGS = {"you bought ": BUY, "you sold ": SELL}
MEANINGS = {word: meaning for meaning, words in _WORDS.items() for word in words.split("|")}


def meaning_of(text: str) -> str | None:
    """BUY, SELL, "trade" or an activity's kind; "" for a text that says nothing, None for a word that is not known."""
    words = " ".join(text.replace("_", " ").replace("-", " ").casefold().split())
    if not words or words in SAYS_NOTHING:
        return ""
    found = (side for beginning, side in BEGINNINGS.items() if words.startswith(beginning))
    return MEANINGS.get(words) or next(found, None)
