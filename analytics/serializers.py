"""Shapes of the analytics API."""

import datetime as dt

from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.reverse import reverse

from analytics.models import ExportJob
from analytics.services import check_exportable
from tradeops.core.api import Params, StrictSerializer
from tradeops.core.moments import DayField, InstantField
from tradeops.core.strict_json import StrictJSONParser, parse_json
from trades.serializers import BIGGEST_ID


class ExportableDayField(DayField):
    def to_internal_value(self, value):
        day = super().to_internal_value(value)
        check_exportable(day)
        return day


class ProcessSerializer(StrictSerializer):
    """`{"date": "2025-01-15"}`; without a date: yesterday, UTC."""

    date = ExportableDayField(required=False)

    def validate(self, values):
        values.setdefault("date", timezone.now().date() - dt.timedelta(days=1))
        return values


class JobAcceptedSerializer(serializers.Serializer):
    """The answer to a request for a day."""

    job_id = serializers.IntegerField(source="id")
    status = serializers.CharField(source="state")
    status_url = serializers.SerializerMethodField()

    def get_status_url(self, job) -> str:
        return reverse("analytics:job-detail", args=[job.pk], request=self.context["request"])


class ExportJobSerializer(JobAcceptedSerializer):
    """An export job as it stands."""

    date = serializers.CharField(source="key")
    progress = serializers.IntegerField(help_text="Percent.")
    attempt = serializers.IntegerField(source="attempts")
    keys = serializers.SerializerMethodField(help_text="Object keys in the lake, once it has succeeded.")
    reason = serializers.CharField(help_text="Why it failed, or why it is tried again.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField()

    def get_keys(self, job: ExportJob) -> list[str]:
        return job.result.get("keys", []) if isinstance(job.result, dict) else []


class RevisionSerializer(serializers.Serializer):
    """A file as it once stood in the lake."""

    number = serializers.IntegerField()
    key = serializers.CharField(help_text="Where it is kept.")
    rows = serializers.IntegerField()
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField()
    entries = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="By account the number of the last ledger entry it knew: the first 50; the manifest lists all.",
    )
    accounts = serializers.IntegerField(source="account_count", help_text="How many accounts it knew entries of.")
    made_with = serializers.CharField()
    written_at = InstantField()


class LakeFileSerializer(serializers.Serializer):
    """A file of a day as it stands in the lake, and as it stood."""

    key = serializers.CharField()
    rows = serializers.IntegerField()
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField()
    revision = serializers.IntegerField()
    written_at = InstantField()
    revisions = RevisionSerializer(source="shown_revisions", many=True, help_text="The newest first, at most 100.")


class DayParams(Params):
    """`GET /analytics/days/2025-01-15`."""

    after = serializers.IntegerField(
        default=0, min_value=0, max_value=BIGGEST_ID, help_text="Statements of the accounts after this one."
    )


class DaySerializer(serializers.Serializer):
    """A UTC day of the lake: the desk's own files, and the statements of 50 accounts."""

    date = serializers.DateField()
    files = LakeFileSerializer(many=True)
    following = serializers.IntegerField(
        allow_null=True, help_text="Where there are more statements: what `after` brings them."
    )


class PassedOnParser(StrictJSONParser):
    """Checks a body like any other and hands on its own text, so that no number changes on its way."""

    def parse(self, stream, media_type=None, parser_context=None):
        body = stream.read()
        if not isinstance(parse_json(body), dict):
            raise ParseError("The body must be a JSON object.")
        return {"text": body.decode()}
