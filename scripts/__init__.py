"""The scripts of the rules: one for each rule, with the rule's name."""

from pipeline.files.uncaught import explain_uncaught

explain_uncaught()
