"""Typed settings, and the configuration that ships with the product."""
