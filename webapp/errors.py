"""The few ways a request can fail, with no HTTP in them. ``webapp.error_pages`` maps each to a status and a page."""


class ErrataError(Exception):
    """A failure whose message is one sentence for a person: what was expected, what came, what to do."""


class NotFound(ErrataError):
    """The row does not exist, or not in this person's projects."""


class Invalid(ErrataError):
    """Bad input. ``fields`` maps a form field to its own sentence."""

    def __init__(self, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = fields or {}


class Forbidden(ErrataError):
    """Signed in, but this role may not do that."""


class SignInNeeded(ErrataError):
    """Nobody is signed in."""


class Busy(ErrataError):
    """Another job or lease holds what was asked for; it will be free later. ``job_id`` is the job that holds it, if one does."""

    def __init__(self, message: str, job_id: int | None = None) -> None:
        super().__init__(message)
        self.job_id = job_id


class Stale(ErrataError):
    """The row changed since the form was rendered. ``current_id`` is the row that is there now."""

    def __init__(self, message: str, current_id: int | None = None) -> None:
        super().__init__(message)
        self.current_id = current_id


class Unavailable(ErrataError):
    """The engine, the worker or a model cannot be reached; the message names the command that mends it."""


class Damaged(ErrataError):
    """A stored artefact failed its hash check."""


class DiskFailed(ErrataError):
    """The disk could not be read or written; nothing was saved."""


class DiskFull(DiskFailed):
    """There was no room for the write; nothing was saved."""
