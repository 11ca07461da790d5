"""Which form an answer takes: what the address asks for, or else what the Accept header does."""

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation


class FormatFirst(DefaultContentNegotiation):
    """`?format=csv` is asked for; an Accept header that a client sends with everything does not forbid it."""

    def select_renderer(self, request, renderers, format_suffix=None):
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            asked = format_suffix or request.query_params.get(self.settings.URL_FORMAT_OVERRIDE)
            if not asked:
                raise
            renderer = self.filter_renderers(renderers, asked)[0]
            return renderer, renderer.media_type
