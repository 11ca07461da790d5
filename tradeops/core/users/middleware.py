"""Shows times in the user's own zone."""

import zoneinfo

from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin


class user_time_zone(MiddlewareMixin):  # noqa: N801 - named as the other middleware functions are
    """Activates the signed-in user's time zone for pages under /desk/ and the admin."""

    def process_request(self, request):
        timezone.deactivate()
        if request.path_info.startswith(("/desk/", "/admin/")) and request.user.is_authenticated:
            timezone.activate(zoneinfo.ZoneInfo(request.user.time_zone))
