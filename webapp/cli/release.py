"""promote, rollback."""

import click

from webapp.cli.common import emit, json_option, opened


@click.command("promote")
@click.argument("project")
@click.argument("release", type=int, required=False)
@click.option("--reason", default="Promoted from the command line.")
@json_option
def promote(project: str, release: int | None, reason: str, as_json: bool) -> None:
    """Put RELEASE (by default the newest candidate) of PROJECT in service."""
    from webapp.db import write
    from webapp.errors import Invalid
    from webapp.projects.service import project_by_name
    from webapp.releases import by_hand, service

    with opened():
        found = project_by_name(project)
        candidates = [one for one in service.list_releases(found) if one.state == "candidate"]
        if release is None and not candidates:
            raise Invalid(f"{project} has no candidate to promote; name a release, or train first.")
        target = service.release_or_404(found, release) if release is not None else candidates[0]
        with write() as session:
            previous = by_hand.promote(session, found, target, person=None, reason=reason)
        values = {"champion": target.number, "previous": previous.number if previous else None}
        emit(values, as_json=as_json, text=f"Release {target.number} is in service.")


@click.command("rollback")
@click.argument("project")
@click.argument("release", type=int, required=False)
@click.option("--reason", default="Rolled back from the command line.")
@json_option
def rollback(project: str, release: int | None, reason: str, as_json: bool) -> None:
    """Put the release before (or RELEASE) of PROJECT back in service."""
    from webapp.db import write
    from webapp.projects.service import project_by_name
    from webapp.releases import by_hand, service

    with opened():
        found = project_by_name(project)
        target = service.release_or_404(found, release) if release is not None else None
        with write() as session:
            if target is None:
                previous = by_hand.rollback(session, found, person=None, reason=reason)
            else:
                previous = by_hand.promote(session, found, target, person=None, reason=reason)
        champion = service.champion_of(found)
        values = {"champion": champion.number if champion else None, "previous": previous.number if previous else None}
        emit(values, as_json=as_json, text=f"Release {values['champion']} is in service again.")
