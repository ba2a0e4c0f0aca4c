"""The devices of the line: one device, one file, one plain class."""
