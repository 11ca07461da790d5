"""Shows times in the user's own zone."""

from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from tradeops.core.moments import zone_named


class user_time_zone(MiddlewareMixin):  # noqa: N801 - named as the other middleware functions are
    """Activates the signed-in user's time zone for pages under /desk/ and the admin."""

    def process_request(self, request):
        timezone.deactivate()
        if request.path_info.startswith(("/desk/", "/admin/")) and request.user.is_authenticated:
            timezone.activate(zone_named(request.user.time_zone))
