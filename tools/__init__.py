"""What people, make and continuous integration run."""

from pipeline.files.say_stopped import say_stopped

say_stopped()
