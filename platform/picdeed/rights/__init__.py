"""What may be done with a picture, and why? Pure: facts in, verdict out; no database, no clock.

claims.py      what was stated about a picture, and by whom
expression.py  which licence do these words name, exactly
catalogue.py   what the licences say: configs/licenses, configs/models, configs/policies
decide.py      the verdict: `conclude` for one picture, `decide` for many and a base
signals/       what a picture's own bytes say
"""
