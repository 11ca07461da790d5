"""A real server with a market in it, for tests: `python -m tests.market.live_server PORT OPTIONS`.

OPTIONS is JSON: {"feed": true, "flush_seconds": 0.5, "tickers": 12, "demo": false}. Each line on stdin is
Python to be run beside the server (in a thread, in Django); the answer on stdout is the JSON of `answer`.
"""

import asyncio
import json
import os
import sys
import threading

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")


def main(port: int, options: dict) -> None:
    from tradeops.asgi import application  # isort: skip - Django is set up here

    from market import feed
    from market.sources import simulated
    from tradeops.core.events import relay
    from tradeops.server import DeskServer

    simulated.FLUSH_SECONDS = options["flush_seconds"]
    feed.TICKERS = (*feed.TICKERS, *(f"T{number:04}" for number in range(options["tickers"] - len(feed.TICKERS))))

    def begin() -> None:
        relay.server_loop = asyncio.get_running_loop()
        if options["feed"]:
            begin.feed = asyncio.ensure_future(feed.run_feed(asyncio.Event()))
        threading.Thread(target=obey, args=(asyncio.get_running_loop(),), daemon=True).start()

    DeskServer(application, host="127.0.0.1", port=port, when_running=begin).run()


def obey(loop: asyncio.AbstractEventLoop) -> None:
    """Runs the lines of stdin; `loop` is the server's."""
    from django.db import connection

    names = {"loop": loop}
    for line in sys.stdin:
        try:
            exec(json.loads(line), names)  # noqa: S102 - the test's own words
            answer = {"answer": names.pop("answer", None)}
        except Exception as error:  # the test is told
            answer = {"error": repr(error)}
        finally:
            connection.close()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
