"""The grading core: pure functions on frozen values.

Arrays in, values out: nothing in this room reads a file, a clock or a socket.
"""
