"""Later and elsewhere: training processes, in the foreground or in the background."""
