"""Which kinds of base are there, and what does each of them do in its own way? One file a family.

This file imports nothing; `known` lists the families, `family` says what one has to say.
"""
