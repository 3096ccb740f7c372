"""What was found, for people who keep files: reports."""
