"""`python -m picdeed` is the command line."""

from picdeed.cli import main

if __name__ == "__main__":
    main()
