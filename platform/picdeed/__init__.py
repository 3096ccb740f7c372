"""picdeed gives every picture its deed: origin, licence, use, descendants, credential."""

__version__ = "0.1.0"
