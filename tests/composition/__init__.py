"""Transformations in every order, against an independent system."""
