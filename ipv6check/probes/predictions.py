"""What each named client would feel, computed from the survey with no more packets."""

from __future__ import annotations

from collections.abc import Mapping

from ipv6check.eyeballs.clients import load
from ipv6check.eyeballs.predict import Prediction, Survey, predict_all


async def predictions(survey: Mapping[int, Survey]) -> Mapping[int, tuple[Prediction, ...]]:
    """By port: every client's end, in the order of the clients."""
    clients = load()
    return {port: predict_all(clients, seen) for port, seen in survey.items()}
