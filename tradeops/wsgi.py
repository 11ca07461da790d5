"""The WSGI entry: pages and API by threads; sockets need the ASGI entry."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")

# Django must be set up before its settings are read.
django_application = get_wsgi_application()

from tradeops.wire import application_for  # noqa: E402

application = application_for(django_application)
