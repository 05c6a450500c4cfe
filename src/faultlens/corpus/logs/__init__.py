"""Evaluation logs as sources of answers: one small reader for each format, told by content.

`evaluation_log` is the form in which they meet; `reading` tells which format a file has.
"""
