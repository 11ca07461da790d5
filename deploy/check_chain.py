#!/usr/bin/env python3
"""Checks an exported chain of ledger entries; needs Python 3.9 or newer and nothing else.

    python3 check_chain.py chain.jsonl [HEAD]

The file comes from `manage.py export_chain` or GET /accounts/{id}/chain. Each entry's digest is worked
out again: SHA-256(digest before + the entry's line + SHA-256 of its rows' lines, in hex), a line being its
values as netstrings (`5:value,`; nothing is `~`) and a line feed. HEAD is a digest kept elsewhere: with it
one sees as well that nothing was cut off or written anew since. Ends with status 1 and the first difference.
"""

import hashlib
import json
import sys

FIRST_LINK = "0" * 64


def netstring(value):
    if value is None:
        return b"~"
    data = value.encode()
    return b"%d:%s," % (len(data), data)


def line_of(values):
    return b"".join(netstring(value) for value in values) + b"\n"


def check(lines, head=None):
    """What is wrong first, in words, or None; and how many entries were checked."""
    told = json.loads(next(lines))
    number_at = told["fields"]["entry"].index("number")
    digest, count, rows = FIRST_LINK, 0, hashlib.sha256()
    seen = {digest}
    for text in lines:
        record = json.loads(text)
        if "entry" not in record:
            rows.update(line_of(record.get("trade") or record["activity"]))
            continue
        count += 1
        if record["entry"][number_at] != str(count):
            return f"entry {count} is missing", count
        digest = hashlib.sha256(digest.encode() + line_of(record["entry"]) + rows.hexdigest().encode()).hexdigest()
        if digest != record["digest"]:
            return f"entry {count} was altered: its digest does not follow from its rows", count
        rows = hashlib.sha256()
        seen.add(digest)
    if (digest, count) != (told["head"], told["entries"]):
        return f"the file ends with entry {count}, the account's head is entry {told['entries']}", count
    if head is not None and head not in seen:
        return f"the digest {head} is none of this chain's", count
    return None, count


def main(arguments):
    if len(arguments) not in (1, 2):
        print(__doc__)
        return 2
    with open(arguments[0], encoding="utf-8") as file:  # noqa: PTH123 - as old a Python as may be
        try:
            problem, count = check(iter(file), *arguments[1:])
        except (ValueError, KeyError, TypeError, StopIteration) as error:
            problem, count = f"the file cannot be read as a chain: {error!r}", 0
    print(f"Not whole: {problem}." if problem else f"The chain is whole: {count} entries.")
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
