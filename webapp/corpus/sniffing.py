"""Look into a Parquet file from a process of its own: what reads such files takes more memory than the whole web process may.

``python -m webapp.corpus.sniffing FILE`` prints ``{"names", "rows"}`` or ``{"error"}`` as JSON.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from retriever.types import Columns, RetrieverError

MAGIC = b"PAR1"
SMALLEST = 12  # the mark at both ends and the length of what lies between
TIME_LIMIT_S = 60


def sniff_parquet(path: Path, *, fields: Mapping[str, tuple[str, ...]], required: tuple[str, ...]) -> Columns:
    """Like ``retriever.readers.sniff_columns``. Raises :class:`RetrieverError` when the file is not what its ending promises."""
    from retriever.readers import guess_columns

    _check_marks(path)
    command = [sys.executable, "-m", "webapp.corpus.sniffing", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=TIME_LIMIT_S)
        found = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        raise RetrieverError("The file is not a readable Parquet file; write it again.") from error
    if "error" in found:
        raise RetrieverError(found["error"])
    names = tuple(found["names"])
    return Columns(names, tuple(found["rows"]), guess_columns(names, fields=fields, required=required))


def _check_marks(path: Path) -> None:
    with path.open("rb") as file:
        first = file.read(len(MAGIC))
        size = file.seek(0, 2)
        file.seek(max(size - len(MAGIC), 0))
        last = file.read()
    if size < SMALLEST or first != MAGIC or last != MAGIC:
        raise RetrieverError("The file is not a readable Parquet file (its marks are missing); write it again.")


def main(path: Path) -> None:
    from retriever.readers import sniff_columns

    found: dict[str, object]
    try:
        columns = sniff_columns(path, format="parquet", required=())
        found = {"names": columns.names, "rows": [dict(row) for row in columns.rows]}
    except RetrieverError as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
