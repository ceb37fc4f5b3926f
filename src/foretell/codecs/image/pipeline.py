"""Coding planes side by side: each plane a few rows behind the planes that it is predicted from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.coder import SAMPLE_BYTES, code_rows
from foretell.codecs.image.model import PlaneModel
from foretell.codecs.image.planes import ABOVE, BELOW, LAG, Picture
from foretell.entropy.binary import POSITION, TAIL_BYTES, finish, new_decoder, new_encoder
from foretell.exact.threads import thread_count

CHUNK_ROWS = 8
Progress = Callable[[int], None]
Costs = NDArray[np.float32]
Watch = Callable[[Costs], None]
"""Called with the bits of every pixel (rows, width) of a picture, band or video frame that has been decoded."""


@dataclass(frozen=True)
class Manner:
    """How to code planes.

    Parameters
    ----------
    network : bool
        Whether the trained network is asked.
    progress : callable, optional
        Told of numbers of samples that have just been done.
    watch : callable, optional
        Told of the bits of all pixels, when decoding.
    """

    network: bool = True
    progress: Progress | None = None
    watch: Watch | None = None


DEFAULT_MANNER = Manner()


def no_costs() -> Costs:
    """In the place of costs that nobody asked for."""
    return np.zeros((0, 0), np.float32)


class Code:
    """An arithmetic code being written (no bytes given) or read."""

    def __init__(self, data: bytes | None = None) -> None:
        self.decoding = data is not None
        self.bytes = np.zeros(1 << 16, np.uint8) if data is None else np.frombuffer(bytearray(data), np.uint8)
        self.state = new_encoder() if data is None else new_decoder(self.bytes)

    def reserve(self, size: int) -> None:
        """Make room for so many more bytes."""
        position = int(self.state[POSITION])
        if not self.decoding and position + size > self.bytes.size:
            grown = np.zeros(2 * self.bytes.size + size, np.uint8)
            grown[:position] = self.bytes[:position]
            self.bytes = grown

    def finish(self) -> bytes:
        """Bytes of the code that was written."""
        self.reserve(TAIL_BYTES)
        return self.bytes[: finish(self.state, self.bytes)].tobytes()


@dataclass
class Task:
    """A plane to be coded: its model, its picture, its code, and the tasks whose planes it looks at.

    ``costs`` (rows, width) is filled with the bits of every sample, if it has any rows.
    """

    model: PlaneModel
    picture: Picture
    code: Code
    behind: Sequence[Task] = ()
    costs: Costs = field(default_factory=no_costs)
    done: int = 0

    def run_chunk(self) -> int:
        """Code the next rows; return how many."""
        height, width = self.picture.own.shape[0] - ABOVE - BELOW, int(self.model.fixed[-1])
        end = min(self.done + CHUNK_ROWS, height)
        rows = end - self.done
        self.code.reserve(rows * width * SAMPLE_BYTES + TAIL_BYTES)
        code_rows(
            self.code.decoding,
            self.model,
            self.picture,
            self.code.state,
            self.code.bytes,
            self.done,
            end,
            self.costs,
        )
        if end == height:
            self.picture.own[-BELOW:] = self.picture.own[-BELOW - 1]
        return rows

    def ready(self) -> bool:
        """Whether the planes that it looks at are far enough ahead."""
        height = self.picture.own.shape[0] - ABOVE - BELOW
        need = min(self.done + CHUNK_ROWS + LAG, height)
        return all(other.done >= need for other in self.behind)

    @property
    def finished(self) -> bool:
        """Whether all rows are coded."""
        return self.done == self.picture.own.shape[0] - ABOVE - BELOW


def run_tasks(tasks: Sequence[Task], progress: Progress | None = None) -> None:
    """Code all planes, in as many threads as are allowed; ``progress`` is told of samples."""
    workers = min(thread_count(), len(tasks))
    crew = _Crew(tasks, progress)
    threads = [threading.Thread(target=crew.work, daemon=True) for _ in range(workers - 1)]
    for thread in threads:
        thread.start()
    crew.work()
    for thread in threads:
        thread.join()
    if crew.error:
        raise crew.error


class _Crew:
    """Threads that take whichever plane is farthest behind and can go on."""

    def __init__(self, tasks: Sequence[Task], progress: Progress | None) -> None:
        self._tasks = tasks
        self._progress = progress
        self._busy: set[int] = set()
        self._turn = threading.Condition()
        self.error: BaseException | None = None

    def work(self) -> None:
        """Code chunks until all planes are done or one has failed."""
        while (index := self._take()) is not None:
            task = self._tasks[index]
            try:
                rows = task.run_chunk()
            except BaseException as error:
                with self._turn:
                    self.error = error
                    self._turn.notify_all()
                return
            with self._turn:
                task.done += rows
                self._busy.discard(index)
                if self._progress:
                    self._progress(rows * int(task.model.fixed[-1]))
                self._turn.notify_all()

    def _take(self) -> int | None:
        with self._turn:
            while not self.error and not all(task.finished for task in self._tasks):
                waiting = [
                    index
                    for index, task in enumerate(self._tasks)
                    if index not in self._busy and not task.finished and task.ready()
                ]
                if waiting:
                    index = min(waiting, key=lambda i: self._tasks[i].done)
                    self._busy.add(index)
                    return index
                self._turn.wait()
        return None


def no_plane(like: NDArray[np.int32]) -> NDArray[np.int32]:
    """Plane of zeros in the place of a reference that does not exist."""
    return np.zeros_like(like)
