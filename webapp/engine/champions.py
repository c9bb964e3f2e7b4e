"""The releases the engine holds: a changed champion is loaded beside the old one and swapped in once it has proved itself."""

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from flask import Flask
from sqlalchemy import select

from webapp.engine.wire import EngineAnswer
from webapp.errors import ErrataError, NotFound, Unavailable
from webapp.models import Project, Release, db
from webapp.releases.serving import LoadedRelease, ReleaseFiles, describe, load_release

READ_EVERY_S = 0.3
WATCH_EVERY_S = 0.5
RETRY_REFUSED_S = 30.0

log = logging.getLogger("errata.engine")


@dataclass(frozen=True)
class Refusal:
    release_id: int
    sentence: str
    at: float


class Champions:
    """Thread-safe. ``capacity`` projects at most are held; the one not asked for longest goes first."""

    def __init__(self, app: Flask, *, capacity: int) -> None:
        self.app = app
        self.capacity = capacity
        self.stop = threading.Event()
        self._held: OrderedDict[int, LoadedRelease] = OrderedDict()
        self._refused: dict[int, Refusal] = {}
        self._wanted: dict[int, tuple[float, ReleaseFiles]] = {}
        self._loading: set[int] = set()
        self._state = threading.RLock()  # guards the fields above; never held while a model is loaded
        self._load = threading.Lock()  # one release is loaded at a time: two would need the memory of both
        self._compute = threading.Lock()  # torch serves one request at a time; more only make each other slow

    def ask(self, project_id: int, text: str, *, k: int) -> EngineAnswer:
        loaded = self._current(project_id)
        with self._compute, self.app.app_context():
            [answered] = loaded.answer([text], k=k)
        return EngineAnswer(loaded.files.release_id, answered)

    def _current(self, project_id: int) -> LoadedRelease:
        wanted = self._read_wanted(project_id)
        with self._state:
            held = self._held.get(project_id)
            if held is not None:
                self._held.move_to_end(project_id)
        if held is None:
            return self._load_now(wanted)
        if held.files.release_id != wanted.release_id:
            self._load_beside(wanted)
        return held

    def _read_wanted(self, project_id: int) -> ReleaseFiles:
        read_at, files = self._wanted.get(project_id, (0.0, None))
        if files is not None and time.monotonic() - read_at < READ_EVERY_S:
            return files
        with self.app.app_context():
            release = db.session.scalar(
                select(Release)
                .join(Project, Project.champion_id == Release.id)
                .where(Project.id == project_id, Project.deleted_at.is_(None))
            )
            if release is None:
                raise NotFound("This project has no release in service yet; add documents and build its index first.")
            files = describe(release)
        self._wanted[project_id] = (time.monotonic(), files)
        return files

    def _load_now(self, wanted: ReleaseFiles) -> LoadedRelease:
        with self._load:
            with self._state:
                held = self._held.get(wanted.project_id)
            if held is not None:  # another request loaded it while we waited
                return held
            return self._load_one(wanted)

    def _load_one(self, wanted: ReleaseFiles) -> LoadedRelease:
        refusal = self._refused.get(wanted.project_id)
        if refusal is not None and self._is_current(refusal, wanted):
            raise Unavailable(refusal.sentence)
        began = time.monotonic()
        try:
            with self.app.app_context():
                loaded = load_release(wanted)
        except ErrataError as error:
            self._refused[wanted.project_id] = Refusal(wanted.release_id, str(error), time.monotonic())
            log.error("%s", error)
            raise Unavailable(str(error)) from error
        log.info("Release %s of %s loaded in %.1f s", wanted.number, wanted.project, time.monotonic() - began)
        self._hold(loaded)
        return loaded

    @staticmethod
    def _is_current(refusal: Refusal, wanted: ReleaseFiles) -> bool:
        return refusal.release_id == wanted.release_id and time.monotonic() - refusal.at < RETRY_REFUSED_S

    def _hold(self, loaded: LoadedRelease) -> None:
        with self._state:
            self._refused.pop(loaded.files.project_id, None)
            self._held[loaded.files.project_id] = loaded
            self._held.move_to_end(loaded.files.project_id)
            while len(self._held) > self.capacity:
                self._held.popitem(last=False)

    def _load_beside(self, wanted: ReleaseFiles) -> None:
        """Load a changed champion in the background; the old one goes on serving, for good when the new one is refused."""
        with self._state:
            refusal = self._refused.get(wanted.project_id)
            if wanted.project_id in self._loading or (refusal is not None and self._is_current(refusal, wanted)):
                return
            self._loading.add(wanted.project_id)
        threading.Thread(target=self._load_in_background, args=(wanted,), daemon=True).start()

    def _load_in_background(self, wanted: ReleaseFiles) -> None:
        try:
            with self._load:
                self._load_one(wanted)
        except Unavailable:
            log.error("Release %s of %s was not swapped in", wanted.number, wanted.project)
        except Exception as error:  # a thread's edge: a failure here must be seen, not end silently
            log.exception("Loading release %s of %s failed", wanted.number, wanted.project)
            self._refused[wanted.project_id] = Refusal(
                wanted.release_id, f"{type(error).__name__}: {error}", time.monotonic()
            )
        finally:
            with self._state:
                self._loading.discard(wanted.project_id)

    def watch(self) -> None:
        """Until ``stop``: load the newest champions at first, then follow every promotion without waiting to be asked."""
        for project_id in self._newest():
            self._follow(project_id)
        while not self.stop.wait(WATCH_EVERY_S):
            with self._state:
                held = list(self._held)
            for project_id in held:
                self._follow(project_id)

    def _newest(self) -> list[int]:
        query = select(Project.id).join(Release, Project.champion_id == Release.id).where(Project.deleted_at.is_(None))
        with self.app.app_context():
            return list(db.session.scalars(query.order_by(Release.promoted_at.desc()).limit(self.capacity)))

    def _follow(self, project_id: int) -> None:
        try:
            self._current(project_id)
        except NotFound:  # deleted meanwhile
            with self._state:
                self._held.pop(project_id, None)
        except Unavailable as error:
            log.warning("%s", error)
        except Exception:  # the watcher must outlive a database that is away for a moment
            log.exception("Following project %s failed", project_id)

    def held(self) -> dict[int, ReleaseFiles]:
        with self._state:
            return {project_id: loaded.files for project_id, loaded in self._held.items()}

    def trouble(self) -> str:
        """One sentence per refused champion, for the health line; "" when all is well."""
        with self._state:
            sentences = []
            for project_id, refusal in self._refused.items():
                held = self._held.get(project_id)
                instead = f" Release {held.files.number} keeps serving." if held is not None else ""
                sentences.append(refusal.sentence + instead)
            return " ".join(sentences)
