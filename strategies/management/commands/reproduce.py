"""A kept run once more, from its kept rows: the same result and the same pictures, or what differs by name."""

import argparse
import json

from django.core.management.base import BaseCommand, CommandError

from strategies import provenance, services
from strategies.models import Run
from strategies.results import summarize
from tradeops.core.database import require_prepared


class Command(BaseCommand):
    help = "Works a kept run out again and compares it with what was kept, to the last bit."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("run", type=int, help="The run's number.")
        parser.add_argument("--json", action="store_true", help="Print the result as it comes out now.")

    def handle(self, *args, **options) -> None:
        require_prepared()
        run = Run.objects.select_related("data").filter(pk=options["run"]).first()
        if run is None:
            raise CommandError(f"There is no run {options['run']}.")
        try:
            now = json.loads(json.dumps(summarize(services.remake(run), run.data_id)))
        except services.DamagedRun as error:
            raise CommandError(str(error)) from error
        changed = list(differences(run.result, now))
        fingerprint = provenance.fingerprint(services.spec_of(run), run.data_id)
        if fingerprint != run.fingerprint:
            changed.insert(0, "The code or a library under it is another than when the run was made.")
        if any(not line.startswith("The code") for line in changed):
            raise CommandError("\n".join(changed[:20]))
        said = "\n".join([*changed, f"Run {run.pk} comes out the same to the last bit. Fingerprint {fingerprint}"])
        self.stdout.write(json.dumps(now, allow_nan=False) if options["json"] else said)


def differences(kept: object, now: object, path: str = "result"):
    """A line for every value that is another."""
    if isinstance(kept, dict) and isinstance(now, dict):
        for name in (*kept, *(name for name in now if name not in kept)):
            yield from differences(kept.get(name, "nothing"), now.get(name, "nothing"), f"{path}.{name}")
    elif isinstance(kept, list) and isinstance(now, list) and len(kept) == len(now):
        for at, pair in enumerate(zip(kept, now, strict=True)):
            yield from differences(*pair, f"{path}[{at}]")
    elif kept != now:
        yield f"{path} was {str(kept)[:60]} and is {str(now)[:60]}."
