"""The desk's server before an application that fails: `python -m tests.faults.failing_server PORT`.

The address says where: `/at-once`, `/midway`, with `?outage` for want of the database; at any other it does not fail.
"""

import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")


def main(port: int) -> None:
    import django

    django.setup()

    from django.db import OperationalError

    from tradeops.server import DeskServer

    async def application(scope, receive, send) -> None:
        failure = OperationalError("gone") if scope["query_string"] == b"outage" else RuntimeError("a bug")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/at-once":
            raise failure
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        if scope["path"] == "/midway":
            raise failure
        await send({"type": "http.response.body", "body": b" and last"})

    DeskServer(application, host="127.0.0.1", port=port).run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
