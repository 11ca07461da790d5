"""The replays page, for staff: tapes of past prices, and the one that runs."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from tradeops.core.users.roles import Action, require

from . import replaying
from .forms import FileForm, MomentField, StoredForm
from .models import FeedState, Replay

SPEEDS = [(1, "1×"), (10, "10×"), (60, "60×"), (300, "300×"), (1000, "1000×")]


FORMS = {"file": FileForm, "stored": StoredForm}


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def replays_page(request: HttpRequest) -> HttpResponse:
    """The tapes; POST makes one, `of` a file or of stored bars."""
    require(request.user, Action.SEE_OFFICE)
    shown = {name: form(prefix=name) for name, form in FORMS.items()}
    if request.method == "POST":
        name = request.POST.get("of", "")
        if name not in FORMS:
            raise BadRequest(f"of must be one of {', '.join(FORMS)}.")
        form = shown[name] = FORMS[name](request.POST, request.FILES, prefix=name)
        if form.is_valid() and keep(form, request):
            return redirect("market:replays")
    context = {
        "forms": shown,
        "tapes": Replay.objects.without_tapes()[: replaying.MOST_TAPES],
        "running": Replay.objects.without_tapes().running(),
        "state": FeedState.objects.current(),
        "speeds": SPEEDS,
        "may_keep": request.user.may(Action.KEEP_OFFICE),
    }
    is_refused = any(form.errors for form in shown.values())
    return render(request, "market/replays.html", context, status=422 if is_refused else 200)


def keep(form: FileForm | StoredForm, request: HttpRequest) -> bool:
    """Keeps the form's tape, or says in the form why not."""
    try:
        replay = replaying.keep_tape(form.cleaned_data["name"], form.tape(), actor=request.user)
    except ValidationError as error:
        for name, errors in error.error_dict.items():
            form.add_error(name if name in form.fields else None, errors)
        return False
    messages.success(request, f"{replay}: {replay.tick_count:,} ticks, ready to be played.")
    return True


# What a POST to one of them does ----------------------------------------------------------------

Act = Callable[[HttpRequest, Replay], object]


def asked_speed(request: HttpRequest) -> float:
    try:
        return float(request.POST.get("speed", "1"))
    except ValueError:
        return 0.0  # refused by its bounds


def asked_moment(request: HttpRequest):
    return MomentField().clean(request.POST.get("at", ""))


ACTIONS: dict[str, Act] = {
    "start": lambda request, replay: replaying.start_replay(replay, asked_speed(request), actor=request.user),
    "speed": lambda request, replay: replaying.set_speed(replay, asked_speed(request), actor=request.user),
    "pause": lambda request, replay: replaying.pause(replay, actor=request.user),
    "resume": lambda request, replay: replaying.resume(replay, actor=request.user),
    "seek": lambda request, replay: replaying.seek(replay, asked_moment(request), actor=request.user),
    "stop": lambda request, replay: replaying.stop_replay(replay, actor=request.user),
    "delete": lambda request, replay: replaying.delete_tape(replay, actor=request.user),
}


@require_POST
@login_required
def change_replay(request: HttpRequest, replay_id: int) -> HttpResponse:
    require(request.user, Action.KEEP_OFFICE)
    replay = get_object_or_404(Replay.objects.without_tapes(), pk=replay_id)
    act = ACTIONS.get(request.POST.get("action", ""))
    if act is None:
        raise BadRequest(f"action must be one of {', '.join(ACTIONS)}.")
    try:
        act(request, replay)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("market:replays")
