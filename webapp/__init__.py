"""Errata's web app: people, HTTP, database, jobs and processes around the two libraries."""
