"""Answerers: formats, prediction, fine-tuning and metrics. Knows text and files, nothing of people, HTTP or databases."""
