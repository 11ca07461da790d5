"""An account's chain of ledger entries as a download that can be checked without the desk."""

from collections.abc import Iterator
from itertools import batched

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from tradeops.core.api import refuse_unknown
from tradeops.core.browsable import BrowsableAPIRenderer
from tradeops.core.download import download

from ..models import Account
from ..requests import BookView
from .walk import export_lines

LINES_AT_ONCE = 500


class AccountChain(BookView):
    """The account's ledger entries, each with the rows it wrote and its digest, as JSON lines.

    deploy/check_chain.py works every digest out again, with nothing of the desk.
    """

    queryset = Account.objects.none()
    renderer_classes = [JSONRenderer, BrowsableAPIRenderer]

    @extend_schema(responses={(200, "application/x-ndjson"): OpenApiTypes.STR})
    def get(self, request: Request, account_id: int):
        refuse_unknown(request.query_params)
        account = get_object_or_404(Account.objects.visible_to(request.user), pk=account_id)
        name = f"chain-of-account-{account.pk}.jsonl"
        return download(request._request, pages_of(account), name, "application/x-ndjson")


def pages_of(account: Account) -> Iterator[str]:
    for lines in batched(export_lines(account), LINES_AT_ONCE):
        yield "".join(lines)
