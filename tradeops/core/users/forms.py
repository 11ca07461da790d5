"""What a user sets about themselves, and the form a token is made with."""

import zoneinfo
from datetime import timedelta

from django import forms
from django.utils import timezone

from .models import ApiToken, User
from .roles import Action, Scope, scope_needed

LIVE_TOKENS_PER_USER = 50
ACCOUNTS_LISTED = 500
EXPIRIES = [("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("never", "Never")]


def time_zone_choices() -> list[tuple[str, str]]:
    """Every zone by name, UTC first; the abbreviations kept for old programs are left out."""
    named = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in named)]


def scope_choices(user: User) -> list[tuple[str, str]]:
    """The scopes `user` may give away: never more than they may do themselves."""
    needed = {scope_needed(action) for action in Action if user.may(action)}
    return [(scope.value, scope.label) for scope in Scope if scope in needed]


def account_choices(user: User) -> list[tuple]:
    """The accounts a token may be bound to."""
    accounts = user.accounts_seen().select_related("owner")[:ACCOUNTS_LISTED]
    named = [(one.pk, f"{one}" if one.owner_id == user.pk else f"{one.owner}: {one}") for one in accounts]
    return [("", "All that you see"), *named]


class PreferencesForm(forms.ModelForm):
    time_zone = forms.ChoiceField(choices=time_zone_choices, help_text="Times on the desk are shown in this zone.")

    class Meta:
        model = User
        fields = ["time_zone", "theme"]


class TokenForm(forms.ModelForm):
    account = forms.TypedChoiceField(
        coerce=int, empty_value=None, required=False, help_text="Bound to one, it sees and books nothing else."
    )
    lifetime_days = forms.ChoiceField(choices=EXPIRIES, initial="90", label="Expires after")

    class Meta:
        model = ApiToken
        fields = ["name", "scope"]
        help_texts = {"name": "The program that will use it.", "scope": "A read token may only read."}

    def __init__(self, *args, user: User, **kwargs):
        super().__init__(*args, **kwargs)
        self.user = user
        self.fields["scope"].choices = scope_choices(user)
        self.fields["account"].choices = account_choices(user)

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        live = ApiToken.objects.visible_to(self.user).live(timezone.now())
        if live.filter(name=name).exists():
            raise forms.ValidationError(f"You already have a live token named {name}.", code="unique")
        if live.count() >= LIVE_TOKENS_PER_USER:
            raise forms.ValidationError(
                f"You have {LIVE_TOKENS_PER_USER} live tokens; revoke one first.", code="too_many"
            )
        return name

    def content(self) -> dict:
        """What the token is made with."""
        values = self.cleaned_data
        return {
            "name": values["name"],
            "scope": values["scope"],
            "account_id": values["account"],
            "expires_at": self.expires_at(),
        }

    def expires_at(self):
        days = self.cleaned_data["lifetime_days"]
        return None if days == "never" else timezone.now() + timedelta(days=int(days))
