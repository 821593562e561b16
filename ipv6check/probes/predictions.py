"""What each named client would feel, computed from the survey with no more packets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ipv6check.eyeballs.clients import Client
from ipv6check.eyeballs.prediction import Prediction, Survey, predict_all


class LazyPredictions(Mapping[int, tuple[Prediction, ...]]):
    """By port: every client's end, in the order of the clients.

    Computed when it is read, by the thread of the checks: the event loop measures time.
    """

    def __init__(self, clients: tuple[Client, ...], surveys: Mapping[int, Survey]) -> None:
        """Predict these clients from these surveys, by port."""
        self._clients = clients
        self._surveys = surveys
        self._known: dict[int, tuple[Prediction, ...]] = {}

    def __getitem__(self, port: int) -> tuple[Prediction, ...]:
        """The predictions for one port."""
        if port not in self._known:
            self._known[port] = predict_all(self._clients, self._surveys[port])
        return self._known[port]

    def __iter__(self) -> Iterator[int]:
        """The ports that were surveyed."""
        return iter(self._surveys)

    def __len__(self) -> int:
        """How many ports were surveyed."""
        return len(self._surveys)


async def predictions(
    survey: Mapping[int, Survey], clients: tuple[Client, ...]
) -> Mapping[int, tuple[Prediction, ...]]:
    """By port: every client's end, in the order of the clients."""
    return LazyPredictions(clients, survey)
