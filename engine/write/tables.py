"""Tables as Parquet bytes that depend on the rows alone, never on how they were cut into batches and shards."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_A_GROUP = 65_536  # row groups are cut here, whatever the shards were
ZSTD_LEVEL = 3


def parquet_bytes(table: pa.Table) -> bytes:
    """Return a table as a Parquet file."""
    return b"".join(parquet_chunks([table]))


def parquet_chunks(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """Yield the bytes of one Parquet file with the rows of all tables; memory stays that of a few row groups.

    Raises:
        ValueError: If there is no table, so that the columns are unknown.
    """
    buffer = _Drain()
    writer: pq.ParquetWriter | None = None
    rest: pa.Table | None = None
    for table in tables:
        if writer is None:
            writer = pq.ParquetWriter(
                buffer, table.schema, compression="zstd", compression_level=ZSTD_LEVEL, version="2.6"
            )
        rest = table if rest is None else pa.concat_tables([rest, table])
        while rest.num_rows >= ROWS_A_GROUP:
            writer.write_table(rest.slice(0, ROWS_A_GROUP).combine_chunks(), row_group_size=ROWS_A_GROUP)
            rest = rest.slice(ROWS_A_GROUP)
            yield buffer.drain()
    if writer is None or rest is None:
        raise ValueError("no table to write")
    if rest.num_rows:
        writer.write_table(rest.combine_chunks(), row_group_size=ROWS_A_GROUP)
    writer.close()
    yield buffer.drain()


def read_parquet(path: Path) -> pa.Table:
    """Return a table from a Parquet file."""
    with pq.ParquetFile(path) as file:
        return file.read(use_threads=False)


class _Drain(io.RawIOBase):
    """A file that keeps what was written to it until it is taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Keep a copy of the data."""
        part = bytes(memoryview(data))
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        """Return how much was written."""
        return self._size

    def drain(self) -> bytes:
        """Return what was written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data
