"""`If-Match`: a change is made only while what it changes stands as its sender read it.

Trades and activities are versions, and their tag is the version. Where nothing counts versions the tag is a digest of
what can be changed, so that what moves by itself (cash, prices) makes nobody's change fail.
"""

import hashlib
import json

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from .api import PreconditionFailed

IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The ETag of what is to be changed, or *."
)


def named_tags(request: Request) -> list[str] | None:
    """The tags that `If-Match` names, with their quotes; None for any."""
    raw = request.headers.get("If-Match", "*").strip()
    return None if raw == "*" else [tag.strip() for tag in raw.split(",")]


def tag_of(*values) -> str:
    """The ETag of what these values say."""
    text = json.dumps(values, default=str)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'


def refuse_stale(name: str, tag: str, tags: list[str] | None) -> None:
    """Raises PreconditionFailed where `name`, which stands at `tag`, is not what any of `tags` was given for."""
    if tags is not None and tag not in tags:
        raise PreconditionFailed(f"{name} stands at {tag}, not at {', '.join(tags)[:80]}.")
