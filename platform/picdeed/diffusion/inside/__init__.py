"""How does a base draw, looked at from inside? Each file shows one part of the way.

This file imports nothing, and neither does `views` import torch: pages read what comes back.
"""
