"""Signing in and out, the theme switch, and the settings page with its API tokens."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from tradeops.core.error_pages import error_page

from . import limits
from .demo import DEMO_LOGINS
from .forms import PreferencesForm, TokenForm
from .models import ApiToken, Theme, User
from .tokens import make_token, revoke_token

TOKENS_SHOWN = 100
THEME_COOKIE_SECONDS = 365 * 24 * 3600


class SignIn(auth_views.LoginView):
    template_name = "registration/login.html"

    def post(self, request, *args, **kwargs):
        if wait := limits.shut_seconds(*self.attempt()):
            detail = f"Wait {wait} seconds, then try again. Nothing was changed."
            response = error_page(request, 429, detail, title="Too many sign-ins have failed")
            response["Retry-After"] = str(wait)
            return response
        return super().post(request, *args, **kwargs)

    def attempt(self) -> tuple[str, str]:
        return self.request.META.get("REMOTE_ADDR", ""), self.request.POST.get("username", "")

    def form_invalid(self, form):
        limits.note_failure(*self.attempt())
        response = super().form_invalid(form)
        response.status_code = 422
        return response

    def get_context_data(self, **kwargs):
        logins = DEMO_LOGINS if settings.TRADEOPS_DEMO else ()
        return super().get_context_data(demo_logins=logins, **kwargs)


sign_in = SignIn.as_view()
sign_out = auth_views.LogoutView.as_view()


@method_decorator(never_cache, name="dispatch")
class ChangePassword(auth_views.PasswordChangeView):
    template_name = "users/password.html"
    success_url = "/desk/settings/"

    def dispatch(self, request, *args, **kwargs):
        if getattr(request.user, "is_demo", False):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form):
        messages.success(self.request, "The password is changed. Other sessions of yours are signed out.")
        return super().form_valid(form)


change_password = ChangePassword.as_view()


def own_address(request, address: str) -> str:
    """`address` if it lies on this site, else the desk: a form must not send a browser elsewhere."""
    is_own = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if is_own and address.startswith("/") else "/desk/"


@require_POST
def choose_theme(request) -> HttpResponse:
    """Remembers the theme: with the user, and in a cookie for pages shown to nobody in particular."""
    theme = request.POST.get("theme", "")
    if theme not in Theme.values:
        raise BadRequest(f"theme must be one of {', '.join(Theme.values)}.")
    if request.user.is_authenticated:
        request.user.theme = theme
        request.user.save(update_fields=["theme"])
    response = HttpResponseRedirect(own_address(request, request.POST.get("next", "")))
    return remember_theme(response, theme)


def remember_theme(response: HttpResponse, theme: str) -> HttpResponse:
    response.set_cookie(
        "theme",
        theme,
        max_age=THEME_COOKIE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
    return response


def settings_page(request, status: int = 200, **context) -> HttpResponse:
    tokens = ApiToken.objects.visible_to(request.user)[:TOKENS_SHOWN]
    context.setdefault("preferences_form", PreferencesForm(instance=request.user))
    token_form = context.setdefault("token_form", TokenForm(user=request.user))
    names = dict(token_form.fields["account"].choices)
    now = timezone.now()
    context["tokens"] = [(token, token.is_live(now), names.get(token.account_id)) for token in tokens]
    return render(request, "users/settings.html", context, status=status)


@require_GET
@never_cache
@login_required
def show_settings(request) -> HttpResponse:
    return settings_page(request)


@require_POST
@login_required
def save_preferences(request) -> HttpResponse:
    # A copy of the user, so that values refused by the form do not color the page that says so.
    user = User.objects.get(pk=request.user.pk)
    form = PreferencesForm(request.POST, instance=user)
    if not form.is_valid():
        return settings_page(request, 422, preferences_form=form)
    user.save(update_fields=["time_zone", "theme"])
    messages.success(request, f"Saved. Times are shown in {user.time_zone}.")
    return remember_theme(redirect("users:settings"), user.theme)


@require_POST
@never_cache
@login_required
def create_token(request) -> HttpResponse:
    """Makes a token and shows its text, this once; so this answer is the page and no redirect."""
    form = TokenForm(request.POST, user=request.user)
    if not form.is_valid():
        return settings_page(request, 422, token_form=form)
    token, raw = make_token(request.user, **form.content())
    return settings_page(request, made=token, raw=raw)


@require_POST
@login_required
def revoke(request, token_id: int) -> HttpResponse:
    token = get_object_or_404(ApiToken.objects.visible_to(request.user), pk=token_id)
    revoke_token(token, request.user)
    messages.success(request, f"{token.name} is revoked. Programs using it are refused from now on.")
    return redirect("users:settings")
