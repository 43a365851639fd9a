"""The scripts of the rules: one for each rule, with the rule's name."""

from pipeline.files.say_stopped import say_stopped

say_stopped()
