"""Tags: one text that plain search finds them in; refused alike in a body and as a person types them."""

import pytest
from django.core.exceptions import ValidationError
from rest_framework.exceptions import ValidationError as ApiValidationError

from tradeops.core.tags import TAG_CHARACTERS, TAGS, TagsField, TypedTagsField, joined, parted

pytestmark = pytest.mark.pure


def test_what_is_kept_has_a_comma_before_and_after_each_tag():
    assert joined(["swing", "core"]) == ",swing,core,"
    assert joined([]) == ""


@pytest.mark.parametrize("tags", [[], ["core"], ["swing", "core"], ["x" * TAG_CHARACTERS] * TAGS])
def test_what_was_joined_is_parted_again(tags):
    assert parted(joined(tags)) == tags


def test_a_tag_that_is_named_twice_is_kept_once():
    assert TagsField().run_validation(["a", "b", "a"]) == ["a", "b"]
    assert TypedTagsField().clean(" a, b ,,a") == ",a,b,"


@pytest.mark.parametrize("tags", [["a,b"], ["x" * (TAG_CHARACTERS + 1)], [str(number) for number in range(TAGS + 1)]])
def test_too_many_too_long_and_parted_ones_are_refused_in_a_body(tags):
    with pytest.raises(ApiValidationError):
        TagsField().run_validation(tags)


@pytest.mark.parametrize("typed", ["x" * (TAG_CHARACTERS + 1), ",".join(str(number) for number in range(TAGS + 1))])
def test_too_many_and_too_long_ones_are_refused_as_they_are_typed(typed):
    with pytest.raises(ValidationError):
        TypedTagsField().clean(typed)
