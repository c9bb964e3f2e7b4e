"""``python -m webapp.cli`` is ``errata``."""

from webapp.cli import main

main()
