"""Measurements at rest: the file formats that every other room reads and writes."""
