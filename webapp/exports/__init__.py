"""The download page of exports; what is written, and how, is in ``webapp.label.export``."""
