"""The scripts of the rules: one for each rule, with the rule's name."""
