"""The API in a browser: beside each answer a form of what the address takes, by the serializers of its schema."""

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import isclass

from rest_framework import renderers, serializers


@dataclass(frozen=True, slots=True)
class Fields:
    """What a body of one media type is made of; without fields it is text of its own kind."""

    media_type: str
    fields: list[serializers.Field]


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    def get_context(self, data, accepted_media_type, renderer_context) -> dict:
        context = super().get_context(data, accepted_media_type, renderer_context)
        view = renderer_context["view"]
        shown = [method for method in ("post", "put", "patch") if context[f"raw_data_{method}_form"]]
        return context | {"bodies": list(bodies_of(view, shown[-1].upper())) if shown else []}


def bodies_of(view, method: str) -> Iterator[Fields]:
    """What `method` takes, one for each of the media types that the view reads."""
    taken = body_class(view, method)
    for parser in view.parser_classes:
        named = taken.get(parser.media_type) if isinstance(taken, dict) else taken
        serializer = named() if isclass(named) else named
        fields = serializer.fields.values() if isinstance(serializer, serializers.Serializer) else ()
        yield Fields(parser.media_type, [with_kind(one) for one in fields if is_asked(one)])


def body_class(view, method: str):
    """The serializer that the schema names for the body, or its class; by media type where there are several."""
    schema_class = getattr(getattr(view, method.lower()), "kwargs", {}).get("schema")
    if schema_class is None:
        return getattr(view, "serializer_class", None)
    schema = schema_class()
    schema.view, schema.method, schema.path = view, method, view.request.path
    return schema.get_request_serializer()


def is_asked(field: serializers.Field) -> bool:
    return not field.read_only and not isinstance(field, serializers.HiddenField)


def with_kind(field: serializers.Field) -> serializers.Field:
    """The field, with the kind of input that it is asked by."""
    kinds = {
        serializers.FileField: "file",
        serializers.BooleanField: "checkbox",
        serializers.ChoiceField: "select",
    }
    field.input_kind = next((kind for one, kind in kinds.items() if isinstance(field, one)), "text")
    return field
