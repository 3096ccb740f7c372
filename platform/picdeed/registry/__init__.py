"""The registry: tables by subject, one write path, a signed ledger. The only SQL in picdeed."""
