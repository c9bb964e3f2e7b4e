"""What the corpus page's forms send, checked."""

from collections.abc import Mapping

from webapp.corpus.importing import load_kind, sniff_file
from webapp.corpus.uploads import Upload
from webapp.errors import Invalid


def clean_page(value: str | None) -> int:
    return int(value) if value and value.isdecimal() and len(value) < 9 else 1


def clean_ids(values: list[str]) -> list[int]:
    """The chosen documents. Raises :class:`Invalid` when none was chosen."""
    ids = [int(value) for value in values if value.isdecimal() and len(value) < 18]
    if not ids:
        raise Invalid("No document was chosen, so none was deleted; tick one or more first.")
    return ids


def clean_mapping(form: Mapping[str, str], upload: Upload) -> dict[str, str]:
    """Field -> column, "" for those that none was chosen for. Raises :class:`Invalid` with a sentence per field."""
    columns = sniff_file(upload.source(), kind=upload.kind)
    names = columns.names if columns is not None else ()
    importer = load_kind(upload.kind)
    chosen = {field: form.get(field, "") for field in importer.FIELDS}
    errors = {
        field: f"The file has no column {column!r}."
        for field, column in chosen.items()
        if column and column not in names
    }
    errors |= {field: f"Choose the column that holds the {field}." for field in importer.REQUIRED if not chosen[field]}
    if errors:
        raise Invalid(" ".join(errors.values()), errors)
    return chosen
