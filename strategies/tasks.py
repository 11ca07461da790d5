"""Parts of sweeps and long runs: owed when they are asked for, done wherever jobs run."""

from strategies import pending, services
from strategies.models import PendingRun, Sweep
from strategies.sweeping import SWEEP, work_out_part
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.runner import report_progress
from tradeops.core.jobs.services import register

# What was removed before its job was taken is what its owner wanted: no failure.
REMOVED = "removed"


@register(SWEEP)
def sweep(job: Job) -> dict[str, object]:
    """The job of kind `sweep`: its key is the sweep's id and the part's number."""
    sweep_id, _, number = job.key.partition(":")
    asked = Sweep.objects.select_related("data").filter(pk=sweep_id).first()
    if asked is None:
        return {"rows": REMOVED}
    return work_out_part(asked, int(number), lambda percentage: report_progress(job, percentage))


@register(services.BACKTEST)
def backtest(job: Job) -> dict[str, object]:
    """The job of kind `backtest`: its key is the number of what was asked for."""
    asked = PendingRun.objects.select_related("data", "owner").filter(pk=job.key).first()
    if asked is None:
        return {"run": REMOVED}
    return pending.work_out(asked, lambda percentage: report_progress(job, percentage))
