"""Declared lists: parses customs messages, stores them, joins receipts to lists; decides nothing.

Two sides that never meet in one import: the XML side (`messages`, `intake`, `commands`) writes, the
read side (`reader`, `details`, `database`, `facts`) is what the line and the page import.
"""
