"""One script a rule, under the rule's name."""
