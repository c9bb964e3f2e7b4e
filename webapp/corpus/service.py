"""The corpus as other capabilities see it: import a file, add a typed question, read documents."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.corpus.documents import delete_documents, document_or_404, list_documents, passages_of
from webapp.corpus.importing import ImportResult, import_file
from webapp.corpus.questions import clean_question, question_sha256
from webapp.models import Project, Question

__all__ = [
    "ImportResult", "add_question", "clean_question", "delete_documents", "document_or_404", "import_file", "list_documents",
    "passages_of", "question_sha256",
]  # fmt: skip


def add_question(session: Session, project: Project, text: str) -> Question:
    """The question with this wording: the one there is, or a new one marked as typed. Raises :class:`Invalid` when it is unfit."""
    text = clean_question(text)
    sha256 = question_sha256(text)
    found = session.scalar(select(Question).where(Question.project_id == project.id, Question.sha256 == sha256))
    if found is not None:
        return found
    question = Question(project_id=project.id, text=text, sha256=sha256, source="typed")
    session.add(question)
    session.flush()
    return question
