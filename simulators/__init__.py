"""The other end of each wire, written from the devices' manuals."""
