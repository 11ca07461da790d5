"""Asking for a day's analysis, following its job, and the Lambda proxy."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics import lambda_client
from analytics.models import ExportJob
from analytics.reading import read_day
from analytics.serializers import (
    DayParams,
    DaySerializer,
    ExportJobSerializer,
    JobAcceptedSerializer,
    PassedOnParser,
    ProcessSerializer,
)
from analytics.services import request_export
from tradeops.core.api import problem, refuse_unknown
from tradeops.core.users.roles import Action


class ProcessView(APIView):
    """Have a day's trades exported to the lake and analyzed.

    The date defaults to yesterday, UTC; today and days done before are fine and are made again. While a day's job is
    unfinished, asking again answers with that same job, whoever asked first, and lets the new asker follow it.
    """

    writes = Action.RUN

    @extend_schema(request=ProcessSerializer, responses={202: JobAcceptedSerializer}, operation_id="analytics_process")
    def post(self, request) -> Response:
        asked = ProcessSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        job = request_export(asked.validated_data["date"], request.user)
        answer = JobAcceptedSerializer(job, context={"request": request}).data
        return Response(answer, status.HTTP_202_ACCEPTED, headers={"Location": answer["status_url"]})


class JobView(APIView):
    """How far a day's job is.

    `status` is `queued`, `running` (with `progress`), `retrying` (with the `attempt` and the `reason` of the last),
    `succeeded` (with the object `keys`) or `failed` (with the `reason`). Seen by those who asked for the day, the back
    office and auditors; for others there is no such job.
    """

    @extend_schema(responses=ExportJobSerializer, operation_id="analytics_job")
    def get(self, request, id: int) -> Response:
        refuse_unknown(request.query_params)
        job = get_object_or_404(ExportJob.objects.visible_to(request.user), pk=id)
        return Response(ExportJobSerializer(job, context={"request": request}).data)


class DayView(APIView):
    """A day's files in the lake, each with every revision that stood there and the ledger entries it knew.

    Those who see all books see all of them, others the statements of their own accounts; where one would see none,
    there is no such day. `GET /desk/reports/days/2025-01-15/` is the page.
    """

    @extend_schema(parameters=[DayParams], responses=DaySerializer, operation_id="analytics_day")
    def get(self, request, day: str) -> Response:
        after = DayParams.read(request)["after"]
        return Response(DaySerializer(read_day(request.user, day, after)).data)


class MoneyAIView(APIView):
    """The Lambda proxy: the JSON object goes on to the function, its status and JSON come back.

    The function analyzes a day of the lake: `{"date": "2025-01-15"}`, yesterday by default. It answers of all trades
    to those who see all books, and to a trader of own accounts alone. Where no `LAMBDA_API_URL` is set, the same
    handler runs here. 502 with a `reason` when the function fails or is asked too much, 503 with Retry-After when too
    many wait for it, 504 when it is late.
    """

    writes = Action.RUN
    parser_classes = [PassedOnParser]

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT}, operation_id="moneyai")
    def post(self, request) -> HttpResponse:
        user = request.user
        own = user.accounts_seen().order_by("pk").values_list("pk", flat=True)[: lambda_client.MAX_ACCOUNTS + 1]
        try:
            answer = lambda_client.invoke(request.data.get("text") or "{}", None if user.sees_all_books else own)
        except lambda_client.LambdaError as error:
            return refused_by(error, request)
        return HttpResponse(answer.body, status=answer.status, content_type="application/json")


def refused_by(error: lambda_client.LambdaError, request) -> HttpResponse:
    response = problem(error.status, str(error), request=request, reason=error.reason)
    if error.status == status.HTTP_503_SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(lambda_client.BUSY_SECONDS)
    return response
