"""How far something has come that is owed as jobs."""

from dataclasses import dataclass

from tradeops.core.jobs.models import State


@dataclass(frozen=True)
class Standing:
    """Status and progress in the words of jobs."""

    status: str
    progress: int
    attempt: int = 1
    reason: str = ""

    @property
    def is_finished(self) -> bool:
        return self.status in (State.SUCCEEDED, State.FAILED)

    def told(self) -> dict:
        """As the API tells it: the attempt while it is tried again, the reason where there is one."""
        told = {"status": self.status, "progress": self.progress}
        if self.status == State.RETRYING:
            told["attempt"] = self.attempt
        return told | ({"reason": self.reason} if self.reason else {})
