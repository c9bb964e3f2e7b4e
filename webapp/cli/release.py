"""promote, rollback."""

import click

from webapp.cli.common import emit, json_option, opened

PROMOTED = "Promoted from the command line."
ROLLED_BACK = "Rolled back from the command line."


@click.command("promote")
@click.argument("project")
@click.argument("release", type=int, required=False)
@click.option("--reason", default=PROMOTED, show_default=True, help="Kept with the release.")
@json_option
def promote(project: str, release: int | None, reason: str, as_json: bool) -> None:
    """Put RELEASE (by default the newest candidate) of PROJECT in service."""
    from webapp.errors import Invalid
    from webapp.projects.service import project_by_name
    from webapp.releases import by_hand, service

    with opened():
        found = project_by_name(project)
        candidates = [one for one in service.list_releases(found) if one.state == "candidate"]
        if release is None and not candidates:
            raise Invalid(f"{project} has no candidate to promote; name a release, or train first.")
        target = service.release_or_404(found, release) if release is not None else candidates[0]
        change = by_hand.promote_today(found, target, person=None, reason=reason.strip() or PROMOTED)
        values = {"champion": change.release.number, "previous": change.previous.number if change.previous else None}
        emit(values, as_json=as_json, text=f"Release {change.release.number} is in service.")


@click.command("rollback")
@click.argument("project")
@click.argument("release", type=int, required=False)
@click.option("--reason", default=ROLLED_BACK, show_default=True, help="Kept with the release.")
@json_option
def rollback(project: str, release: int | None, reason: str, as_json: bool) -> None:
    """Put the release before (or RELEASE) of PROJECT back in service."""
    from webapp.projects.service import project_by_name
    from webapp.releases import by_hand, service

    reason = reason.strip() or ROLLED_BACK
    with opened():
        found = project_by_name(project)
        if release is None:
            change = by_hand.roll_back(found, person=None, reason=reason)
        else:
            target = service.release_or_404(found, release)
            change = by_hand.promote_as_it_was(found, target, person=None, reason=reason)
        values = {"champion": change.release.number, "previous": change.previous.number if change.previous else None}
        emit(values, as_json=as_json, text=f"Release {values['champion']} is in service again.")
