"""doctor, backup, restore."""

import datetime as dt
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from webapp.cli.common import emit, json_option, opened
from webapp.settings import read_settings


@click.command("doctor")
@json_option
def doctor(as_json: bool) -> None:
    """Check database, disk, models, packages and processes; exit code 1 when something is wrong."""
    from webapp.processes.doctor import examine

    with opened():
        checks = examine()
    ok = all(check.ok for check in checks)
    lines = [
        f"{'good' if one.ok else 'BAD ':<5}{one.name}: {one.detail}" + (f"\n     → {one.mend}" if one.mend else "")
        for one in checks
    ]
    lines.append("All is well." if ok else "Something needs mending: see the arrows.")
    emit({"ok": ok, "checks": [asdict(check) for check in checks]}, as_json=as_json, text="\n".join(lines))
    if not ok:
        sys.exit(1)


@click.command("backup")
@click.argument("target", type=click.Path(path_type=Path), required=False)
@json_option
def backup(target: Path | None, as_json: bool) -> None:
    """Copy the database and every model to TARGET (by default backups/ in ERRATA_HOME), while the server may run."""
    from webapp.home import home
    from webapp.processes.backup import create_backup

    with opened():
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%d-%H%M%S")
        values = create_backup(home(), target or home() / "backups" / stamp)
    emit(values, as_json=as_json, text=f"{values['files']} files, {values['bytes'] / 1e6:.1f} MB, in {values['path']}")


@click.command("restore")
@click.argument("source", type=click.Path(path_type=Path))
@json_option
def restore(source: Path, as_json: bool) -> None:
    """Fill the empty folder ERRATA_HOME from the backup in SOURCE, every file checked."""
    from webapp.processes.backup import restore_backup

    values = restore_backup(source, read_settings(os.environ).home)
    with opened():
        pass  # an older backup is upgraded at once
    emit(values, as_json=as_json, text=f"{values['files']} files restored to {values['home']}; the database is whole.")
