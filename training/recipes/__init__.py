"""Recipes: one command each for the models and the demo corpus that ship with the project."""
