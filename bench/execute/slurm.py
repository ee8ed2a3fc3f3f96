"""`--executor slurm`: jobs are submitted through submitit (github.com/facebookincubator/submitit). No torch here.

    NAME/slurm/<job>_0_log.out, .err   what a job says
    NAME/slurm/<array>_submission.sh   what sbatch was given
    NAME/slurm/<job>_submitted.pkl     submitit's own, for that job alone: the name of a class, and two texts

Nothing of that is read again but by the job itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import UsageError
from bench.execute.queue import Queue
from bench.execute.submissions import place_of

if TYPE_CHECKING:
    import submitit

Task = Callable[[], None]


def script(queue: Queue, folder: Path, num_jobs: int) -> str:
    """What sbatch is given, to the letter."""
    executor = _executor(queue, folder)
    if num_jobs > 1:
        executor.parameters["map_count"] = num_jobs  # submitit's name for the size of an array
    text: str = executor._make_submission_file_text(executor._submitit_command_str, "")
    return text


def submit(queue: Queue, folder: Path, task: Task, num_jobs: int) -> list[str]:
    """Have so many jobs call `task`; their numbers. UsageError where sbatch refuses them, and nothing is left of it."""
    place = place_of(folder)
    before = set(place.glob("*")) | set(place.glob(".*"))
    try:
        with redirect_stderr(StringIO()):  # submitit shows what sbatch says, beside what it raises
            jobs = _executor(queue, folder).submit_array([task] * num_jobs)
    except Exception as error:  # submitit's own errors have no base that is theirs alone
        for path in {*place.glob("*"), *place.glob(".*")} - before:
            with suppress(OSError):
                path.unlink()
        said = " ".join(str(error).split())
        raise UsageError(f"the jobs were not submitted: {said}") from None
    return [job.job_id for job in jobs]


def _executor(queue: Queue, folder: Path) -> submitit.SlurmExecutor | submitit.LocalExecutor:
    import submitit

    warned = min(90, 15 * queue.minutes)  # seconds before the time is up; enough to let go of what is claimed
    if queue.cluster == "local":
        local = submitit.LocalExecutor(place_of(folder))
        local.update_parameters(
            timeout_min=queue.minutes, gpus_per_node=queue.num_gpus, signal_delay_s=warned, tasks_per_node=1
        )
        return local
    asked: dict[str, Any] = {
        "job_name": f"bench-{folder.absolute().name}",
        "time": queue.minutes,
        "signal_delay_s": warned,
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": queue.cpus,
        "gpus_per_node": queue.gpus if queue.num_gpus else None,
        "additional_parameters": dict(queue.further),
        **queue.options,
    }
    executor = submitit.SlurmExecutor(place_of(folder))
    executor.update_parameters(**{name: value for name, value in asked.items() if value is not None})
    return executor
