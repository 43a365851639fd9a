"""What people, make and continuous integration run."""

from pipeline.files.uncaught import explain_uncaught

explain_uncaught()
