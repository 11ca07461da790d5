"""Versions as they are shown: when, by whom and why each was written, and what it changed."""

from rest_framework import serializers

from tradeops.core.api import StrictSerializer
from tradeops.core.moments import InstantField

from ..activities.serializers import WrittenActivitySerializer
from ..booking.checks import OUTSIDE_NAMES
from ..models import Activity, Trade, Version
from ..serializers import ADJUSTMENT_HELP, WrittenTradeSerializer

SERIALIZERS = {Trade: WrittenTradeSerializer, Activity: WrittenActivitySerializer}


class VoidSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)
    adjustment = serializers.BooleanField(required=False, help_text=ADJUSTMENT_HELP)


class ChangeSerializer(serializers.Serializer):
    """One field that a version says otherwise than the one before."""

    field = serializers.CharField()
    before = serializers.JSONField()
    after = serializers.JSONField()


class VersionSerializer(serializers.Serializer):
    """One version: when, who, why, what changed."""

    version = serializers.IntegerField()
    action = serializers.CharField(source="entry.kind", help_text="booking, correction or void")
    recorded_at = InstantField(source="entry.recorded_at")
    actor = serializers.CharField(source="entry.actor.username")
    reason = serializers.CharField(source="entry.reason")
    entry = serializers.IntegerField(source="entry.number", help_text="The account's ledger entry that wrote it.")
    changes = ChangeSerializer(many=True)


class TradeVersionSerializer(VersionSerializer):
    trade = WrittenTradeSerializer(source="*")


class ActivityVersionSerializer(VersionSerializer):
    activity = WrittenActivitySerializer(source="*")


def with_changes(versions: list[Version]) -> list[Version]:
    """The versions, in order, each with what it says otherwise than the one before."""
    if not versions:
        return versions
    first = versions[0]
    rows = type(first).objects.select_related("entry", "account")
    before = rows.filter(**{first.IDENTITY: first.identity, "version": first.version - 1}).first()
    for version in versions:
        version.changes = spelled_changes(before, version)
        before = version
    return versions


def spelled_changes(before: Version | None, after: Version) -> list[dict]:
    """What `after` says otherwise, under the names and in the spelling of the API."""
    if before is None:
        return []
    differing = [OUTSIDE_NAMES.get(name, name) for name in before.differences(after) if name != "is_void"]
    shown = [SERIALIZERS[type(row)](row).data for row in (before, after)]
    return [
        {"field": name, "before": shown[0].get(name), "after": shown[1].get(name)} for name in dict.fromkeys(differing)
    ]
