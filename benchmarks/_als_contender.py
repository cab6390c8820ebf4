"""A tuned ALS to compare with, in an environment of its own: `implicit` is no dependency of the project."""

import itertools
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _harness import note
from _windows import ndcg_of_lists
from numpy.typing import NDArray

from engine.recommend.evaluate.split import Split
from engine.recommend.history import histories, select_rows

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent / ".bench-als"
REQUIREMENTS = HERE / "als_requirements.txt"


@dataclass(frozen=True)
class Configuration:
    """One way to train an ALS. half_life: of the histories it learns from, in days."""

    factors: int
    regularisation: float
    alpha: float
    half_life: float

    def __str__(self) -> str:
        return (
            f"{self.factors} factors, regularisation {self.regularisation:g}, alpha {self.alpha:g}, "
            f"half-life {self.half_life:g} days"
        )


def grid(
    factors: Sequence[int] = (64, 128, 256),
    regularisation: Sequence[float] = (5, 20, 50),
    alpha: Sequence[float] = (1, 2, 5, 10),
    half_life: Sequence[float] = (60, 90),
) -> list[Configuration]:
    """Every combination."""
    return [Configuration(*chosen) for chosen in itertools.product(factors, regularisation, alpha, half_life)]


def ready(environment: Path = ENVIRONMENT) -> Path:
    """The Python that has `implicit`; at first use its environment is made, and said so. Raises CalledProcessError."""
    scripts, suffix = ("Scripts", ".exe") if sys.platform == "win32" else ("bin", "")
    python, done = environment / scripts / f"python{suffix}", environment / "requirements.txt"
    if not done.exists() or done.read_text() != REQUIREMENTS.read_text():
        print(f"making {environment} with implicit, for the comparison alone; it is not installed", file=sys.stderr)
        venv.create(environment, clear=True, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS]
        subprocess.run(install, check=True)
        done.write_text(REQUIREMENTS.read_text())
    return python


def ndcgs(asked: Split, configurations: Sequence[Configuration], python: Path) -> NDArray[np.float64]:
    """(c,) NDCG@10 of each configuration, on products new to the person as everywhere."""
    note(f"{len(configurations)} ALS models")
    with tempfile.TemporaryDirectory() as folder:
        problem, answer = Path(folder) / "problem.npz", Path(folder) / "lists.npy"
        np.savez(problem, **_problem(asked, configurations))
        subprocess.run([python, HERE / "_als.py", problem, answer], check=True)
        lists = np.load(answer)
    return np.array([ndcg_of_lists(asked.new, each.astype(np.int64)) for each in lists])


def tuned(
    splits: Sequence[Split], configurations: Sequence[Configuration], python: Path
) -> tuple[Configuration, float]:
    """(the configuration with the best mean over these splits, that mean)."""
    means = np.mean([ndcgs(asked, configurations, python) for asked in splits], axis=0)
    return configurations[int(means.argmax())], float(means.max())


def _problem(asked: Split, configurations: Sequence[Configuration]) -> dict[str, NDArray[np.generic]]:
    """What `_als.py` reads."""
    rows = asked.history.rows_of(asked.new.people)
    bought = select_rows(asked.history.bought, rows)
    told: dict[str, NDArray[np.generic]] = {
        "configurations": np.array(
            [[c.factors, c.regularisation, c.alpha, c.half_life] for c in configurations], float
        ),
        "rows": rows,
        "bought_ends": bought.indptr,
        "bought": bought.indices,
        "shape": np.array(asked.history.interest.shape),
    }
    for half_life in sorted({each.half_life for each in configurations}):
        known = histories(asked.known, asked.positions, len(asked.catalog), now=asked.at, half_life_days=half_life)
        told[f"values_{half_life:g}"] = known.interest.data
        told[f"columns_{half_life:g}"], told[f"ends_{half_life:g}"] = known.interest.indices, known.interest.indptr
    return told
