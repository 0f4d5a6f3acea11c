"""Misbehaviour on demand, as every sandbox has it: faults wait for requests and strike the next N that match, or until cleared.

Here belongs what goes wrong on the way to a client; what goes wrong in the data is the business of each upstream's own faults.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import ClassVar, Generic, TypeVar

TRANSPORT_KINDS = ("status", "slow", "cut", "html", "invalid_json")


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportFault:
    """One way to misbehave; upstreams add kinds and fields of their own. ValueError for a kind that does not exist.

    `status` answers with `status`, and Retry-After when `retry_after` (seconds) is given; `slow` waits `seconds` first; `cut` sends half
    of the body and ends the connection; `html` sends a page with status 200; `invalid_json` breaks off.
    """

    KINDS: ClassVar[tuple[str, ...]] = TRANSPORT_KINDS

    kind: str
    times: int | None = 1
    """Requests to strike; None until cleared."""
    status: int = 500
    retry_after: int | None = None
    seconds: float = 5.0

    def __post_init__(self) -> None:
        if self.kind not in self.KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are: {', '.join(self.KINDS)}")

    @property
    def headers(self) -> dict[str, str]:
        """What a refusal adds to the answer's headers."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


F = TypeVar("F", bound=TransportFault)


class Faults(Generic[F]):
    """The faults that wait for requests, all of one upstream's class. Safe to use from several threads."""

    def __init__(self, fault_class: type[F]) -> None:
        self._fault_class = fault_class
        self._waiting: list[F] = []
        self._lock = Lock()

    def add(self, kind: str, **options: object) -> F:
        """Lets a fault wait; `options` are the fields of its class. ValueError or TypeError for one that does not exist."""
        fault = self._fault_class(kind=kind, **options)  # type: ignore[arg-type]
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Forgets every fault."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> tuple[F, ...]:
        """The faults still to come, with the number of times that remains."""
        return tuple(self._waiting)

    def strike(self, matches: Callable[[F], bool]) -> list[F]:
        """The faults that strike a request, told by `matches`; each is counted."""
        with self._lock:
            struck = [fault for fault in self._waiting if matches(fault)]
            self._waiting = [
                fault if fault not in struck or fault.times is None else replace(fault, times=fault.times - 1)
                for fault in self._waiting
                if fault not in struck or fault.times != 1
            ]
        return struck


def refusal(faults: Sequence[F]) -> F | None:
    """The first fault that refuses the request altogether."""
    return next((fault for fault in faults if fault.kind == "status"), None)
