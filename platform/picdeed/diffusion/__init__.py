"""How do pictures teach a model, and how does a model draw? torch is imported only in here.

This file imports nothing, so that `recipe`, `plan` and `runfolder` stay light for the stages.
"""
