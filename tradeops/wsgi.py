"""The WSGI entry: pages and API by threads; sockets need the ASGI entry."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")

# Django must be set up before its settings are read.
django.setup(set_prefix=False)

from tradeops.short_ways import ShortWayHandler  # noqa: E402
from tradeops.wire import application_for  # noqa: E402

application = application_for(ShortWayHandler())
