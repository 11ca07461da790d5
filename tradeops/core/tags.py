"""Tags of a row: kept as one text with commas around each, `,swing,core,`, so that one is found by plain search."""

from django import forms
from django.core.exceptions import ValidationError
from rest_framework import serializers

TAGS, TAG_CHARACTERS = 20, 40
WIDEST = TAGS * (TAG_CHARACTERS + 1) + 1


def joined(tags: list[str]) -> str:
    return f",{','.join(tags)}," if tags else ""


def parted(text: str) -> list[str]:
    return [tag for tag in text.split(",") if tag]


class TagsField(serializers.ListField):
    """A list of tags in a body."""

    child = serializers.CharField(max_length=TAG_CHARACTERS)

    def __init__(self, **kwargs):
        super().__init__(max_length=TAGS, **kwargs)

    def to_internal_value(self, data) -> list[str]:
        if isinstance(data, list) and len(data) > TAGS:  # before each is looked at, and the same ones made one
            self.fail("max_length", max_length=TAGS)
        tags = super().to_internal_value(data)
        if any("," in tag for tag in tags):
            raise serializers.ValidationError("A tag has no comma in it.", code="invalid")
        return list(dict.fromkeys(tags))


class TypedTagsField(forms.CharField):
    """Tags between commas as a person types them, cleaned to the text that is kept."""

    def __init__(self, **kwargs):
        about = {"required": False, "label": "Tags", "help_text": "Between commas."}
        super().__init__(**about | {"max_length": WIDEST} | kwargs)

    def clean(self, value) -> str:
        tags = list(dict.fromkeys(tag.strip() for tag in super().clean(value).split(",") if tag.strip()))
        if len(tags) > TAGS:
            raise ValidationError(f"At most {TAGS} tags.", code="max_length")
        if any(len(tag) > TAG_CHARACTERS for tag in tags):
            raise ValidationError(f"At most {TAG_CHARACTERS} characters a tag.", code="max_length")
        return joined(tags)
