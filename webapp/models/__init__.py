"""Every table. A label is what a person decided, an answer what a model said; see docs/architecture.md for the words."""

from webapp.models.base import UtcDateTime, db, now
from webapp.models.corpus import CorpusIndex, Document, Passage, Project
from webapp.models.jobs import ACTIVE_JOB_STATES, JOB_STATES, Job, Process
from webapp.models.labelling import REJECT_REASONS, SUPERSEDED, VERDICTS, Answer, AnswerPassage, Label, Question
from webapp.models.learning import RELEASE_STATES, Dataset, DatasetLabel, EvaluationRow, Iteration, LabelEffect, Release
from webapp.models.people import ROLES, AuditEvent, Person, SignIn, SignInLink

__all__ = [
    "ACTIVE_JOB_STATES",
    "JOB_STATES",
    "REJECT_REASONS",
    "RELEASE_STATES",
    "ROLES",
    "SUPERSEDED",
    "VERDICTS",
    "Answer",
    "AnswerPassage",
    "AuditEvent",
    "CorpusIndex",
    "Dataset",
    "DatasetLabel",
    "Document",
    "EvaluationRow",
    "Iteration",
    "Job",
    "Label",
    "LabelEffect",
    "Passage",
    "Person",
    "Process",
    "Project",
    "Question",
    "Release",
    "SignIn",
    "SignInLink",
    "UtcDateTime",
    "db",
    "now",
]
