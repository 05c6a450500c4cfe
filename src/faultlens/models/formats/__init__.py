"""Dictionaries as other libraries save them: one small reader a publisher, told by the files.

`saved` is the form in which they meet; `finding` tells which publisher's files a folder holds.
"""
