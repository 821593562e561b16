"""A test internet in Linux network namespaces: `with Lab() as lab: lab.run("dual", [...])`."""

from tests.lab.lab import Lab, LabError

__all__ = ["Lab", "LabError"]
