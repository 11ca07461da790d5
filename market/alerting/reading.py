"""What fired, as lists and pages ask for it."""

from tradeops.core.users.models import User

from ..models import Alert


def fired_seen(user: User, params: dict):
    """The alerts that `user` sees, by the values of FiredParams."""
    alerts = Alert.objects.visible_to(user)
    names = {"ticker": "instrument", "kind": "kind", "rule": "rule", "after": "tick_at__gte", "before": "tick_at__lt"}
    alerts = alerts.filter(**{column: params[name] for name, column in names.items() if name in params})
    if "acknowledged" in params:
        alerts = alerts.filter(acknowledged_at__isnull=params["acknowledged"] == "false")
    return alerts
