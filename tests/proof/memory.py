"""The memory of a desk's web process, as the kernel counts it."""

from pathlib import Path

from tests.desk import Desk


def web_process(desk: Desk) -> int:
    """The process of a desk that serves: of a supervisor the child of that name, of granian its worker."""
    children = Path(f"/proc/{desk.process.pid}/task/{desk.process.pid}/children").read_text().split()
    serving = [int(pid) for pid in children if b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return serving[0] if serving else max([desk.process.pid, *map(int, children)], key=resident_bytes)


def resident_bytes(pid: int) -> int:
    return status_bytes(pid, "VmRSS")


def peak_bytes(pid: int) -> int:
    """The most that was resident since `start_peak`."""
    return status_bytes(pid, "VmHWM")


def start_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def status_bytes(pid: int, name: str) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
