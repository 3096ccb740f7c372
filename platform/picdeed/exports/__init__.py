"""Other worlds' formats, one file each; none is built yet."""
