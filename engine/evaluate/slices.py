"""`slices.yaml`: parts of the data that matter, as conditions over what was measured.

    dark:        {where: "lum_mean < 0.25", risk_weight: 2, min_support: 20}
    occluded40:  {where: "i.occlusion > 0.4", risk_weight: 3}
    rare_crack:  {where: "i.class = 'crack' AND i.cnr < 2"}

A condition over the frame `f` and its world chooses pictures, with everything in them. One that names the instance `i`
chooses instances: rows of the index of instances, or of defects, with the columns of their frame beside them. False
alarms of such a slice are those of its classes, in its pictures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from engine.errors import UserError, near_matches
from engine.evaluate.figures import Part
from engine.evaluate.truth import Truth
from engine.plain import from_plain
from engine.query import open_index

LARGEST_RISK = 1e6
TABLE_OF = {"f": "frames", "w": "worlds", "i": "seen"}  # what letters stand for in conditions
OWN = ("truth_id", "is_defect")  # columns of `seen` that are ours
UNKNOWN_OF = re.compile('Values list "(\\w+)" does not have a column named "([^"]*)"')  # as DuckDB says it
UNKNOWN = re.compile('Referenced column "([^"]*)" not found')
ALL = "all"
# Instances and defects in one table; the columns of the place in it are those of the frame.
SEEN = """
CREATE TEMP VIEW seen AS
SELECT * EXCLUDE (world, step, camera) FROM (SELECT *, false AS is_defect, inst_id AS truth_id FROM instances)
"""
SEEN_DEFECTS = """
CREATE TEMP VIEW seen AS
SELECT * EXCLUDE (world, step, camera) FROM (
  SELECT *, false AS is_defect, inst_id AS truth_id FROM instances
  UNION ALL BY NAME SELECT *, true AS is_defect, defect_id AS truth_id FROM defects
)
"""


@dataclass(frozen=True)
class Slice:
    """A part of the data and what it weighs."""

    where: str
    risk_weight: float = 1.0  # of a miss in it, against other slices
    min_support: int = 10  # fewest groups (or pictures, where there are none) for a figure
    about: str = ""

    def __post_init__(self) -> None:
        if not self.where.strip() or ";" in self.where:
            raise ValueError(f"where: one SQL expression without ';', got {self.where!r}")
        if not 0.0 <= self.risk_weight <= LARGEST_RISK:
            raise ValueError(f"risk_weight must be in 0..{LARGEST_RISK:g}, got {self.risk_weight:g}")
        if self.min_support < 1:
            raise ValueError(f"min_support must be at least 1, got {self.min_support}")


def read_slices(path: Path) -> dict[str, Slice]:
    """Return the slices in a YAML file, a mapping by name or one below the key `slices`.

    Raises:
        UserError: If it cannot be read, or one is not a slice.
    """
    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if isinstance(data, dict) and set(data) == {"slices"}:
        data = data["slices"]
    if not isinstance(data, dict) or not data:
        raise UserError(f"{path}: expected slices by name, such as `dark: {{where: lum_mean < 0.25}}`")
    if ALL in data:
        raise UserError(f"{path}: '{ALL}' is the whole set, which is always there; choose another name")
    return {str(name): from_plain(Slice, plain, f"{path.name}.{name}") for name, plain in data.items()}


class SliceReader:
    """Asks the index of a dataset which instances and pictures a slice has."""

    def __init__(self, dataset: Path, truth: Truth) -> None:
        self._truth = truth
        self._connection = open_index(dataset)
        names = {row[0] for row in self._connection.execute("SHOW TABLES").fetchall()}
        self._connection.execute(SEEN_DEFECTS if "defects" in names else SEEN)

    def part(self, name: str, own: Slice) -> tuple[Part, bool]:
        """Return what a slice has, and whether it chooses instances.

        Raises:
            UserError: If its condition is not SQL over the index.
        """
        import duckdb

        place = "FROM frames f JOIN worlds w USING (world, step)"
        frames = f"SELECT f.frame_id {place} WHERE"
        joined = f"SELECT f.frame_id, i.is_defect, i.truth_id {place} JOIN seen i"
        try:
            rows = self._connection.execute(f"{frames} ({own.where})").fetchnumpy()
        except duckdb.BinderException:
            rows = self._ask(f"{joined} ON i.frame_id = f.frame_id WHERE ({own.where})", name, own)
            return self._of_instances(rows), True
        except duckdb.Error as error:
            raise _refused(name, own, error) from error
        image = np.isin(self._truth.frame_id, rows["frame_id"])
        return Part(np.ones(len(self._truth.instance), np.bool_), image), False

    def _ask(self, select: str, name: str, own: Slice) -> dict[str, NDArray[Any]]:
        import duckdb

        try:
            found: dict[str, NDArray[Any]] = self._connection.execute(select).fetchnumpy()
        except duckdb.BinderException as error:
            raise self._unknown(name, own, error) from error
        except duckdb.Error as error:
            raise _refused(name, own, error) from error
        return found

    def _unknown(self, name: str, own: Slice, error: Exception) -> UserError:
        """Return what is wrong with a condition that names what is not there: the columns that look most like it."""
        qualified, bare = UNKNOWN_OF.search(str(error)), UNKNOWN.search(str(error))
        if qualified is not None and qualified[1] in TABLE_OF:
            table, word = qualified[1], qualified[2]
            known = tuple(map(_written, self._columns(table)))
        elif bare is not None:
            table, word = "", bare[1]
            columns = (
                _written(c) if table != "i" else f"i.{_written(c)}" for table in "fwi" for c in self._columns(table)
            )
            known = tuple(dict.fromkeys(columns))
        else:
            return _refused(name, own, error)
        where = f"'{table}' has no column '{word}'" if table else f"there is no column '{word}'"
        return UserError(
            f"slice {name}: {' '.join(own.where.split())!r} cannot be asked: {where}; near: {near_matches(word, known)}"
        )

    def _columns(self, table: str) -> list[str]:
        rows = self._connection.execute(f"DESCRIBE {TABLE_OF[table]}").fetchall()
        return [str(row[0]) for row in rows if row[0] not in OWN]

    def _of_instances(self, rows: dict[str, NDArray[Any]]) -> Part:
        truth = self._truth
        keys = zip(rows["frame_id"].tolist(), rows["is_defect"].tolist(), rows["truth_id"].tolist(), strict=True)
        wanted = set(keys)
        chosen = np.array([key in wanted for key in truth.instance], np.bool_)
        image = np.isin(truth.frame_id, np.array([key[0] for key in truth.instance], np.int64)[chosen])
        return Part(chosen, image, of_classes=True)


def _written(column: str) -> str:
    """Return a column as SQL writes it."""
    return column if column.isidentifier() else f'"{column}"'


def _refused(name: str, own: Slice, error: Exception) -> UserError:
    reason = " ".join(str(error).split("\nLINE ")[0].split())
    return UserError(f"slice {name}: {' '.join(own.where.split())!r} cannot be asked: {reason}")
